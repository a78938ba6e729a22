import { afterEach, describe, expect, test } from "vitest";
import { reconnect, startListening, tell } from "../../test/feed.ts";
import { createSigningKey, encodePart } from "../../test/issuer.ts";
import {
  INVALID_TOKEN,
  refusalOf,
  startResourceServer,
  type TestResourceServer,
} from "../../test/resource-server.ts";
import { until } from "../../test/until.ts";

let api: TestResourceServer;
afterEach(() => api.stop());

/** A server that has its issuer's keys. */
async function startLoaded(): Promise<void> {
  api = await startResourceServer();
  expect(await statusOf(api.token())).toBe(200);
  expect(api.issuer.requests()).toBe(1);
}

const statusOf = async (token: string): Promise<number> => (await api.time(token)).status;

/** Sends many tokens of unknown kids; only those are looked at, the signature is never reached. */
async function flood(count: number): Promise<void> {
  const [, payload, signature] = api.token().split(".");
  const requests = Array.from({ length: count }, (_, index) => {
    const token = [encodePart(api.header({ kid: `kid-${index}` })), payload, signature].join(".");
    return `GET /time HTTP/1.1\r\nHost: a.example\r\nAuthorization: Bearer ${token}\r\n`;
  });
  // As many in one piece as a connection takes ahead of their answers.
  while (requests.length > 0) {
    const piece = requests.splice(0, 100);
    const answers = await api.exchange(`${piece.join("\r\n")}Connection: close\r\n\r\n`);
    expect(answers.match(/HTTP\/1.1 401 /g)).toHaveLength(piece.length);
  }
}

test("V6: 10,000 unknown kids cost one fetch a cooldown", async () => {
  await startLoaded();
  await flood(10_000);
  expect(api.issuer.requests(), "beside the first load").toBe(2);
  api.advance(29.5);
  await flood(100);
  expect(api.issuer.requests(), "within the cooldown").toBe(2);
  api.advance(0.5);
  await flood(100);
  expect(api.issuer.requests(), "after that").toBe(3);
});

test("V6: all who wait for keys share one fetch", async () => {
  api = await startResourceServer();
  const token = api.token();
  const statuses = await Promise.all(Array.from({ length: 50 }, () => statusOf(token)));
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(api.issuer.requests()).toBe(1);
});

test("V6: a new key is served as soon as its token comes, or 30 s after the last unknown one", async () => {
  await startLoaded();
  const [one, two] = [createSigningKey(), createSigningKey()];
  api.issuer.publish(api.key.jwk, one.jwk);
  expect(await statusOf(api.token({ key: one }))).toBe(200);
  api.issuer.publish(api.key.jwk, one.jwk, two.jwk);
  const token = api.token({ key: two });
  expect(refusalOf(await api.time(token))).toEqual(INVALID_TOKEN);
  expect(api.lines.at(-1)).toMatchObject({ reason: "unknown_kid" });
  api.advance(30);
  expect(await statusOf(token)).toBe(200);
  expect(api.issuer.requests()).toBe(3);
});

test("V6: known keys are fetched anew every five minutes, beside the request", async () => {
  await startLoaded();
  for (const fetches of [2, 3]) {
    const next = createSigningKey();
    api.issuer.publish(api.key.jwk, next.jwk);
    api.advance(299.5);
    expect(await statusOf(api.token())).toBe(200);
    expect(api.issuer.requests()).toBe(fetches - 1);
    api.advance(0.5);
    expect(await statusOf(api.token())).toBe(200);
    // Waits for the fetch that is under way.
    expect(await statusOf(api.token({ key: next }))).toBe(200);
    expect(api.issuer.requests()).toBe(fetches);
  }
});

test("V6: a key that left the set is refused after the next fetch, for remembered tokens too", async () => {
  await startLoaded();
  const [used, unused] = [api.token(), api.token()];
  expect(await statusOf(used)).toBe(200);
  const successor = createSigningKey();
  api.issuer.publish(successor.jwk);
  api.advance(300);
  // The remembered token is all that comes, and makes the server look.
  expect(await statusOf(used)).toBe(200);
  await api.issuer.requested(2);
  // Waits for the fetch that is under way.
  expect(await statusOf(api.token({ key: successor }))).toBe(200);
  expect(refusalOf(await api.time(used))).toEqual(INVALID_TOKEN);
  expect(refusalOf(await api.time(unused))).toEqual(INVALID_TOKEN);
  expect(api.lines.at(-1)).toMatchObject({ reason: "unknown_kid" });
  // The kid it no longer knows was a reason to look, once.
  expect(api.issuer.requests()).toBe(3);
});

test("V6: a clock that was set back does not stop the fetching", async () => {
  await startLoaded();
  const key = createSigningKey();
  api.issuer.publish(api.key.jwk, key.jwk);
  api.advance(-86_400);
  expect(await statusOf(api.token())).toBe(200);
  await api.issuer.requested(2);
  expect(await statusOf(api.token({ key }))).toBe(200);
});

describe("V6: the feed tells that a signing key was revoked, and its successor's tokens are served at once", () => {
  const successor = createSigningKey();
  const revoke = (): void => api.authServer.feed().revoke(revocationOf(api.key.kid));
  const revocationOf = (subject: string) => ({ kind: "signing_key", subject, expires_at: null });

  test("though a stranger's unknown kid came just before", async () => {
    await startLoaded();
    await flood(1);
    api.issuer.publish(successor.jwk);
    revoke();
    await api.issuer.requested(3);
    expect(await statusOf(api.token({ key: successor }))).toBe(200);
    await flood(1000);
    // What strangers may cause is one in a second, while the news is young.
    expect(api.issuer.requests()).toBeLessThanOrEqual(4);
  });

  test("though it was fetched anew just before, as every five minutes", async () => {
    await startLoaded();
    api.advance(300);
    expect(await statusOf(api.token())).toBe(200);
    await api.issuer.requested(2);
    api.issuer.publish(successor.jwk);
    revoke();
    await api.issuer.requested(3);
    expect(await statusOf(api.token({ key: successor }))).toBe(200);
  });

  test("though strangers go on while the instance that answers has not heard of it yet", async () => {
    await startLoaded();
    revoke();
    await api.issuer.requested(2);
    await flood(100);
    api.issuer.publish(successor.jwk);
    api.advance(1);
    expect(await statusOf(api.token({ key: successor }))).toBe(200);
  });

  test("though a fetch that began before is still under way", async () => {
    await startLoaded();
    const old = JSON.stringify({ keys: [api.key.jwk] });
    const { promise: heard, resolve: finish } = Promise.withResolvers<void>();
    api.issuer.answer((_req, res) => void heard.then(() => res.end(old)));
    const waiting = api.time(api.token({ header: { kid: "unknown" } }));
    await api.issuer.requested(2);
    await tell(api, revocationOf(api.key.kid));
    const first = api.time(api.token({ key: successor }));
    api.issuer.publish(successor.jwk);
    finish();
    expect((await first).status).toBe(200);
    expect((await waiting).status).toBe(401);
    expect(api.issuer.requests()).toBe(3);
  });

  test("a second after the fetch it caused has failed", async () => {
    await startLoaded();
    await flood(1);
    api.issuer.answer((_req, res) => res.writeHead(503).end());
    revoke();
    await api.issuer.requested(3);
    await until("it failed", () => api.lines.some(({ event }) => event === "jwks_unread"));
    api.issuer.publish(successor.jwk);
    api.advance(1);
    expect(await statusOf(api.token({ key: successor }))).toBe(200);
  });

  test("a connection that tells old news again causes no fetch", async () => {
    api = await startListening({
      before: (_issuer, authServer) => {
        authServer.entries = Array.from({ length: 50 }, (_, i) => revocationOf(`old-${i}`));
      },
    });
    expect(await statusOf(api.token())).toBe(200);
    const before = api.issuer.requests();
    await reconnect(api);
    expect(await statusOf(api.token())).toBe(200);
    expect(api.issuer.requests()).toBe(before);
  });
});
