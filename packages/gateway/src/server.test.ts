/** The gateway as a proxy's program sees it: questions at each door, and its life. */
import { API } from "@daykey/auth-server/test/auth-server";
import { exchangeFor } from "@daykey/auth-server/test/exchange";
import { scrape } from "@daykey/service/test/metrics";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EXT_HEADER, HOST, ROUTES, startGateway, type TestGateway } from "../test/gateway.ts";
import { BY_HEADERS, FORWARDED, question, request, send, TOLD } from "../test/wire.ts";
import { HTTP_DOORS } from "./doors.ts";

let gateway: TestGateway;
let token: string;
beforeAll(async () => {
  gateway = await startGateway();
  token = await gateway.token();
});
afterAll(() => gateway.stop());

const bearer = (): string => `Authorization: Bearer ${token}`;
const statusOf = async (bytes: string, to: TestGateway = gateway): Promise<number> =>
  (await send(to.publicPort, bytes)).status;

describe.each(HTTP_DOORS)("the door of %s", (door) => {
  test("tells whose the credential is, with empty headers where there is nothing", async () => {
    const { status, headers, body } = await send(
      gateway.publicPort,
      question(door, {}, [bearer()]),
    );
    expect([status, body]).toEqual([200, ""]);
    const told = (name: string): unknown => headers.get(`x-daykey-${name}`);
    expect(told("client")).toEqual([gateway.client.clientId]);
    expect(told("scope")).toEqual(["time:read primes:check"]);
    expect(told("subject")).toEqual([gateway.client.clientId]);
    expect(told("ext")).toEqual([EXT_HEADER]);
    expect(told("grant")).toEqual([expect.stringMatching(/^[\da-f-]{36}$/)]);
    const open = await send(gateway.publicPort, question(door, { target: "/open" }, [bearer()]));
    expect(open.status).toBe(200);
    for (const name of ["client", "scope", "grant", "subject", "actor", "workload", "ext"]) {
      expect([name, open.headers.get(`x-daykey-${name}`)?.map((value) => value.trim())]).toEqual([
        name,
        [""],
      ]);
    }
  });

  test("E1: tells who acts, and for whom", async () => {
    const { actor, token: onBehalf } = await exchangeFor(gateway.auth, token, { resource: API });
    const headers = [`Authorization: Bearer ${onBehalf}`];
    const answer = await send(gateway.publicPort, question(door, {}, headers));
    const told = ["client", "subject", "actor"].map((name) =>
      answer.headers.get(`x-daykey-${name}`),
    );
    const { clientId } = gateway.client;
    expect(told).toEqual([[actor.clientId], [clientId], [actor.clientId]]);
  });

  test("is asked about / as about every other path", async () => {
    const root = await startGateway({
      auth: gateway.auth,
      routes: `hosts: { "${HOST}": { routes: [{ path: /, access: public }] } }`,
    });
    try {
      expect(await statusOf(question(door, { target: "/" }), root)).toBe(200);
      expect(await statusOf(question(door, { target: "/?x" }), root)).toBe(200);
      expect(await statusOf(question(door, { target: "//" }), root)).not.toBe(200);
    } finally {
      await root.stop();
    }
  });

  test.each(["X_Daykey_Client", "x-daykey_scope", "X.Daykey.Grant", "X_HTTP_Method_Override"])(
    "refuses %s, which a service may take for another header",
    async (header) => {
      const { status, headers } = await send(
        gateway.publicPort,
        question(door, { target: "/open" }, [`${header}: root`]),
      );
      expect(Number(headers.get("x-daykey-status")?.[0] ?? status)).toBe(400);
    },
  );

  test("is for trusted proxies alone, whatever they send", async () => {
    const strict = await startGateway({
      auth: gateway.auth,
      config: { trustedProxies: ["192.0.2.1"] },
    });
    try {
      for (const headers of [
        [bearer()],
        ["X-Forwarded-For: 192.0.2.1"],
        ["X-Real-IP: 192.0.2.1"],
      ]) {
        for (const target of ["/time", "/open"]) {
          expect(await statusOf(question(door, { target }, headers), strict)).toBe(403);
        }
      }
      expect(strict.lines.at(-1)).toMatchObject({ door, reason: "untrusted_peer", status: 403 });
    } finally {
      await strict.stop();
    }
  });

  test("is shut unless it is opened", async () => {
    const others = HTTP_DOORS.filter((other) => other !== door);
    const without = await startGateway({ auth: gateway.auth, config: { doors: others } });
    try {
      const refused = await statusOf(question(door, { target: "/open" }), without);
      expect(refused).toBe(door === "nginx" ? 403 : 404);
    } finally {
      await without.stop();
    }
  });

  test("HEAD is GET, and nothing else is", async () => {
    const ask = (method: string): Promise<number> =>
      statusOf(question(door, { method }, [bearer()]));
    expect([await ask("HEAD"), await ask("OPTIONS"), await ask("PUT")]).toEqual([200, 403, 403]);
  });
});

describe.each(BY_HEADERS)("the door of %s", (door) => {
  const names = TOLD[door];
  const lines = (): string[] => [
    `${names.method}: GET`,
    `${names.host}: ${HOST}`,
    `${names.target}: /open`,
  ];

  test("refuses a question that lacks one of its headers, or has it twice", async () => {
    expect(await statusOf(request(`GET /${door}`, lines()))).toBe(200);
    for (const index of [0, 1, 2]) {
      const line = lines()[index] ?? "";
      const without = lines().toSpliced(index, 1);
      const twice = [...lines(), line];
      const empty = [...without, `${line.split(":")[0]}:`];
      for (const headers of [without, twice, empty]) {
        const status = await statusOf(request(`GET /${door}`, headers));
        expect([headers, status]).toEqual([headers, door === "nginx" ? 403 : 400]);
      }
    }
  });

  test("believes no other door's headers", async () => {
    const other = door === "nginx" ? FORWARDED : TOLD.nginx;
    const foreign = [`${other.method}: GET`, `${other.host}: ${HOST}`, `${other.target}: /open`];
    expect(await statusOf(request(`GET /${door}`, foreign))).not.toBe(200);
    const beside = question(door, { target: "/admin" }, [bearer(), ...foreign]);
    expect(await statusOf(beside)).toBe(403);
    expect(await statusOf(request(`GET /${door}/open`, lines()))).toBe(404);
    expect(await statusOf(request(`GET /envoy/admin`, [...lines(), bearer()]))).toBe(403);
  });
});

test("nginx is told every refusal in headers, for it passes on nothing else", async () => {
  const ask = (target: string, headers: string[] = []) =>
    send(gateway.publicPort, question("nginx", { target }, headers));
  const ambiguous = await ask("//");
  expect([ambiguous.status, ambiguous.headers.get("x-daykey-status")]).toEqual([403, ["400"]]);
  expect(JSON.parse(ambiguous.headers.get("x-daykey-problem")?.[0] ?? "")).toEqual({
    type: "urn:daykey:problem:ambiguous-request",
    title: "The request can be read in more than one way",
    status: 400,
  });
  // Refused before any route.
  const twice = await ask("/time", [bearer(), bearer()]);
  expect([twice.status, twice.headers.get("x-daykey-status")]).toEqual([403, ["400"]]);
  const none = await ask("/time");
  expect([none.status, none.headers.get("x-daykey-status")]).toEqual([401, ["401"]]);
});

describe("the routes file", () => {
  let own: TestGateway;
  beforeAll(async () => {
    own = await startGateway({ auth: gateway.auth });
  });
  afterAll(() => own.stop());
  const statuses = async (): Promise<number[]> => [
    await statusOf(question("traefik", { target: "/open" }), own),
    await statusOf(question("traefik", { target: "/new" }), own),
  ];
  const current = async (): Promise<number | undefined> =>
    (await scrape(own.privateUrl)).values("routes_file_current")[""];

  test("is taken anew on reload; one that cannot be used leaves the one before", async () => {
    expect([await statuses(), await current()]).toEqual([[200, 403], 1]);
    own.write(`${ROUTES}      - { path: /new, access: public }\n`);
    await own.reload();
    expect([await statuses(), await current()]).toEqual([[200, 200], 1]);
    own.write(`${ROUTES}      - { path: /open, access: denied }\n`);
    await own.reload();
    expect([await statuses(), await current()]).toEqual([[200, 200], 0]);
    const line = own.lines.findLast(({ event }) => event === "routes_unusable");
    expect(line).toMatchObject({
      level: "error",
      faults: ["routes.yaml:13: * /open is the same path as * /open, and says otherwise"],
    });
    const ready = await fetch(`${own.privateUrl}/readyz`);
    expect([ready.status, await ready.json()]).toMatchObject([
      200,
      { degraded: { routes: expect.any(String) } },
    ]);
    own.write(ROUTES);
    await own.reload();
    expect([await statuses(), await current()]).toEqual([[200, 403], 1]);
  });

  test("a resource that is new takes nothing from readiness until it is in force", async () => {
    own.write(
      `${ROUTES}  new.example.test: { resource: https://new.example.test, routes: [{ path: /x, scope: x }] }\n`,
    );
    let isOver = false;
    const reloading = own.reload().finally(() => (isOver = true));
    const missing = new Set<string>();
    while (!isOver) {
      missing.add(own.unreadiness() ?? "nothing");
      await new Promise((resolve) => setImmediate(resolve));
    }
    await reloading;
    expect([...missing]).toEqual(["nothing"]);
    own.write(ROUTES);
    await own.reload();
  });

  test("a resource that is new gets a guard of its own", async () => {
    const routes = `{ resource: https://other.example.test, routes: [{ path: /time, scope: time:read }] }`;
    own.write(`${ROUTES}  other.example.test: ${routes}\n`);
    await own.reload();
    const other = "https://other.example.test";
    const ask = async (resource: string, host: string): Promise<number> => {
      const given = `Authorization: Bearer ${await own.token(undefined, { resource })}`;
      return statusOf(question("traefik", { host }, [given]), own);
    };
    expect(await ask(other, "other.example.test")).toBe(200);
    expect(await ask(`https://${HOST}`, HOST)).toBe(200);
    expect(await ask(other, HOST)).toBe(401);
    expect(await ask(`https://${HOST}`, "other.example.test")).toBe(401);
    own.write(ROUTES);
    await own.reload();
    expect(await ask(`https://${HOST}`, HOST)).toBe(200);
    expect(await ask(other, "other.example.test")).toBe(403);
  });
});

test("a grant that is revoked is refused", async () => {
  const client = await gateway.auth.createClient();
  const answer = await gateway.auth.clientCredentials(client, { resource: `https://${HOST}` });
  const given = [`Authorization: Bearer ${String(answer.body["access_token"])}`];
  const ask = (): Promise<number> => statusOf(question("nginx", {}, given));
  expect(await ask()).toBe(200);
  await gateway.auth.postAs(client, "/oauth2/revoke", {
    token: String(answer.body["access_token"]),
  });
  await expect.poll(ask).toBe(401);
});

test("what was decided is counted, by door and reason", async () => {
  const counts = async (): Promise<Record<string, number>> =>
    (await scrape(gateway.privateUrl)).values("gateway_decisions_total");
  const before = await counts();
  await statusOf(question("caddy", { target: "/nothing" }));
  await statusOf(question("caddy", { target: "/open" }));
  await statusOf(question("caddy", { target: "//" }));
  const after = await counts();
  for (const decision of ["no_route", "allowed", "empty_segment"]) {
    const key = `{door="caddy",decision="${decision}"}`;
    expect([key, (after[key] ?? 0) - (before[key] ?? 0)]).toEqual([key, 1]);
  }
});
