import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRevocationSet, type Revocation } from "@daykey/common/revocation";
import { createFeedStream } from "./feed.ts";
import {
  ISSUER,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "../../test/auth-server.ts";
import { openGrant } from "../../test/refresh.ts";

let server: TestAuthServer;
let other: TestAuthServer;
let reader: TestClient;
let client: TestClient;
beforeAll(async () => {
  server = await startAuthServer();
  other = await startAuthServer({ database: server.database });
  reader = await server.createClient({
    scopes: ["revocations:read", "introspect"],
    resources: [ISSUER],
    accessTokenSeconds: 3600,
  });
  client = await server.createClient();
});
afterAll(async () => {
  await other.stop();
  await server.stop();
});

interface Event {
  event: string;
  data: Record<string, unknown>;
}

async function feedToken(form: Record<string, string> = {}): Promise<string> {
  const { body } = await server.clientCredentials(reader, form);
  return String(body["access_token"]);
}

function openFeed(url: string, token: string): Promise<Response> {
  return fetch(`${url}/revocations`, { headers: { authorization: `Bearer ${token}` } });
}

/** Events as they come. */
async function* eventsOf(response: Response): AsyncGenerator<Event> {
  let text = "";
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const [, event = "", data = ""] = /^event: (.*)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
      text = text.slice(end + 2);
      yield { event, data: JSON.parse(data) as Record<string, unknown> };
    }
  }
}

async function next(events: AsyncGenerator<Event>): Promise<Event> {
  const { value } = await events.next();
  return value as Event;
}

async function revokedGrant(): Promise<string> {
  const { id, token } = await openGrant(server, client);
  expect((await server.postAs(client, "/oauth2/revoke", { token })).status).toBe(200);
  return id;
}

describe("GET /revocations", () => {
  test("the whole live set, then live, then each change; never compressed, kept or buffered", async () => {
    const before = await revokedGrant();
    await server.look();
    const response = await openFeed(server.url, await feedToken());
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "no-store, no-transform",
      "x-accel-buffering": "no",
    });
    const events = eventsOf(response);
    const set: Event[] = [];
    for (let event = await next(events); event.event !== "live"; event = await next(events)) {
      set.push(event);
    }
    expect(set).toContainEqual({
      event: "revocation",
      data: { kind: "grant", subject: before, expires_at: expect.any(Number) },
    });
    const after = await revokedGrant();
    const change = await next(events);
    expect(change.data).toEqual({ kind: "grant", subject: after, expires_at: expect.any(Number) });
    await events.return(undefined);
  });

  test("a revocation at one instance is told by the other", async () => {
    const events = eventsOf(await openFeed(other.url, await feedToken()));
    while ((await next(events)).event !== "live");
    const id = await revokedGrant();
    // What was revoked just before may come first, and heartbeats between.
    let news = await next(events);
    while (news.data["subject"] !== id) news = await next(events);
    expect(news.event).toBe("revocation");
    await events.return(undefined);
  });

  test("a heartbeat comes while the database is read", async () => {
    const events = eventsOf(await openFeed(server.url, await feedToken()));
    while ((await next(events)).event !== "live");
    expect(await next(events)).toEqual({
      event: "heartbeat",
      data: {
        entries: expect.any(Number),
        digest: expect.any(Number),
        at: expect.any(Number),
      },
    });
    await events.return(undefined);
  });

  test("it ends with its token", async () => {
    const short = await server.createClient({
      scopes: ["revocations:read"],
      resources: [ISSUER],
      accessTokenSeconds: 10,
    });
    const { body } = await server.clientCredentials(short);
    server.advance(9);
    const response = await openFeed(server.url, String(body["access_token"]));
    expect(await response.text()).toContain("event: live");
    server.advance(-9);
  });

  test("401 without a token or with a dead or misdirected one, 403 without the scope, which each challenge names", async () => {
    const noScope = await feedToken({ scope: "introspect" });
    const elsewhere = await server.clientCredentials(client);
    const scope = ', scope="revocations:read"';
    const cases: [string | undefined, number, string][] = [
      [undefined, 401, `Bearer realm="${ISSUER}"${scope}`],
      ["Basic eDp5", 401, `Bearer realm="${ISSUER}"${scope}`],
      ["Bearer", 400, `Bearer realm="${ISSUER}", error="invalid_request"${scope}`],
      ["Bearer x", 401, `Bearer realm="${ISSUER}", error="invalid_token"${scope}`],
      [
        `Bearer ${String(elsewhere.body["access_token"])}`,
        401,
        `Bearer realm="${ISSUER}", error="invalid_token"${scope}`,
      ],
      [`Bearer ${noScope}`, 403, `Bearer realm="${ISSUER}", error="insufficient_scope"${scope}`],
    ];
    for (const [authorization, status, challenge] of cases) {
      const headers: Record<string, string> = authorization ? { authorization } : {};
      const response = await fetch(`${server.url}/revocations`, { headers });
      expect([authorization, response.status, response.headers.get("www-authenticate")]).toEqual([
        authorization,
        status,
        challenge,
      ]);
      await response.text();
    }
  });

  test("HEAD opens no stream", async () => {
    const headers = { authorization: `Bearer ${await feedToken()}` };
    const response = await fetch(`${server.url}/revocations`, { method: "HEAD", headers });
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });
});

test("news of more than a reader takes at once waits for it, and then comes whole", async () => {
  const set = createRevocationSet();
  const tellers = new Set<(added: readonly Revocation[]) => void>();
  const stream = createFeedStream({
    liveSet: {
      current: () => set,
      look: async () => {},
      ageSeconds: () => 0,
      onGap: () => {},
      subscribers: () => tellers.size,
      subscribe(onAdded) {
        tellers.add(onAdded);
        return () => void tellers.delete(onAdded);
      },
    },
    lifeSeconds: 600,
    stopping: new AbortController().signal,
  });
  const added = Array.from({ length: 60_000 }, (_, i): Revocation => ({
    kind: "grant",
    subject: `burst-${i}`,
    epoch: undefined,
    expiresAt: 4_000_000_000,
  }));
  for (const entry of added) set.add(entry);
  for (const tell of tellers) tell(added.slice(0, 30_000));
  for (const tell of tellers) tell(added.slice(30_000));
  let told = 0;
  for await (const chunk of stream) {
    told += String(chunk).match(/"burst-/g)?.length ?? 0;
    if (String(chunk).includes("event: live")) break;
  }
  expect(told).toBeGreaterThanOrEqual(added.length);
});
