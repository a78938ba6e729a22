import { SIGNING_ALGORITHMS } from "@daykey/common/protocol";
import { createServer } from "node:http";
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { createTestDatabase } from "@daykey/service/test/database";
import { scrape } from "@daykey/service/test/metrics";
import { ListenError } from "@daykey/service/process/lifecycle";
import { type AppRouter, createRouter } from "@daykey/service/http/router";
import { SignJWT } from "jose";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createSigningKey, type SigningKey } from "../test/issuer.ts";
import {
  INVALID_TOKEN,
  NO_CREDENTIAL,
  refusalOf,
  startResourceServer,
  type TestResourceServer,
} from "../test/resource-server.ts";

const running: TestResourceServer[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(running.splice(0).map((server) => server.stop()));
});

async function start(options?: Parameters<typeof startResourceServer>[0]) {
  const server = await startResourceServer(options);
  running.push(server);
  return server;
}

async function getPrivate(api: TestResourceServer, path: string) {
  const response = await fetch(api.privateUrl + path);
  return { status: response.status, body: await response.text() };
}

/** By jose, not by the harness: what a standard library signs. */
function signed(api: TestResourceServer, key = api.key): Promise<string> {
  return new SignJWT(api.claims())
    .setProtectedHeader({ alg: key.algorithm, typ: "at+jwt", kid: key.kid })
    .sign(key.privateKey);
}

test("a start as another server's role is told in words, not by a stack", async () => {
  const database = await createTestDatabase();
  const store = {
    kind: "postgresql",
    url: database.appUrl,
    pool: 1,
    preparedStatements: true,
  } as const;
  await expect(startResourceServer({ config: { store } })).rejects.toMatchObject({
    name: "MigrationError",
    message:
      "The role of the database URL may not read the schema daykey_resource. Each server has a role of its own.",
  });
  await database.drop();
});

test("a database of quotas and nonces that is lost is told before a request needs it, and its return", async () => {
  const database = await createTestDatabase();
  const url = database.resourceUrl;
  const api = await start({
    config: { store: { kind: "postgresql", url, pool: 1, preparedStatements: true } },
  });
  const ready = async () => (await getPrivate(api, "/readyz")).body;
  const usable = async () => (await scrape(api.privateUrl)).values("database_usable");
  const name = new URL(url).pathname.slice(1);
  const patience = { timeout: 30_000 };
  expect([await ready(), await usable()]).toEqual(['{"status":"ready"}', { "": 1 }]);
  await database.query(`alter database ${name} connection limit 0`);
  await database.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'daykey_resource' and datname = current_database()",
  );
  await expect
    .poll(ready, patience)
    .toBe('{"status":"ready","degraded":{"database":"has no connection left for us (53300)"}}');
  expect(await usable()).toEqual({ "": 0 });
  await database.query(`alter database ${name} connection limit -1`);
  await expect.poll(ready, patience).toBe('{"status":"ready"}');
  const told = api.lines
    .map(({ event }) => event)
    .filter((event) => String(event).startsWith("store_"));
  expect(told).toEqual(["store_lost", "store_back"]);
  await running.pop()?.stop();
  await database.drop();
}, 90_000);

describe("ALGORITHMS", () => {
  const keys = SIGNING_ALGORITHMS.map((name) => createSigningKey(name));
  const before = ({ publish }: TestResourceServer["issuer"]): void =>
    publish(...keys.map(({ jwk }) => jwk));

  test("T2: a token of each allowed algorithm is served, end to end", async () => {
    const api = await start({ before });
    for (const key of keys) {
      const token = await signed(api, key);
      const time = await api.time(token);
      expect([time.status, time.body], key.algorithm).toEqual([
        200,
        {
          time: "2026-11-21T12:00:00.000Z",
          epoch_seconds: 1_795_262_400,
          zone: "UTC",
          local: "2026-11-21T12:00:00.000+00:00",
        },
      ]);
      const prime = await api.request("GET /primes/97", { token });
      expect(prime.body).toEqual({
        number: 97,
        prime: true,
        certainty: "proven",
        method: "trial-division",
      });
    }
  });

  /** Two names of one algorithm (RFC 9864 §2.2). */
  const isEdwards = (name: string): boolean => name === "Ed25519" || name === "EdDSA";

  test.each(keys)(
    "T2: when $algorithm alone is allowed, the others are not served",
    async (only) => {
      const api = await start({ before, config: { algorithms: [only.algorithm] } });
      const isAllowed = (key: SigningKey): boolean =>
        key === only || (isEdwards(key.algorithm) && isEdwards(only.algorithm));
      for (const key of keys.filter((other) => !isAllowed(other))) {
        const answer = await api.time(await signed(api, key));
        expect(refusalOf(answer), key.algorithm).toEqual(INVALID_TOKEN);
      }
      for (const key of keys.filter(isAllowed)) {
        expect((await api.time(await signed(api, key))).status, key.algorithm).toBe(200);
      }
    },
  );

  test("a token may call an Ed25519 key's algorithm by either name, whatever the key set calls it", async () => {
    const api = await start({ before });
    for (const key of keys.filter(({ algorithm }) => isEdwards(algorithm))) {
      for (const alg of ["Ed25519", "EdDSA"] as const) {
        const token = await signed(api, { ...key, algorithm: alg });
        expect((await api.time(token)).status, `${key.algorithm} as ${alg}`).toBe(200);
      }
    }
  });
});

test("V4: every route but the open ones is guarded, and a new one has to be put here", async () => {
  const routers = Object.getPrototypeOf(createRouter()) as AppRouter;
  const registered = vi.spyOn(routers, "register");
  const api = await start();
  const routes = registered.mock.calls.flatMap(([path, methods]) =>
    methods.map((method) => `${method.toUpperCase()} ${String(path)}`),
  );
  // With its issuer's keys the server is ready.
  await api.time(api.token());
  const answers: Record<string, unknown> = {};
  for (const route of routes) {
    const answer = await api.request(route.replace(":n", "97"));
    answers[route] = answer.status === 401 ? refusalOf(answer) : answer.status;
  }
  expect(answers).toEqual({
    "GET /time": NO_CREDENTIAL,
    "GET /primes/:n": NO_CREDENTIAL,
    // In the articles' shape.
    "POST /get-current-time": { ...NO_CREDENTIAL, body: { error: "Unauthorized" } },
    "POST /check-prime": { ...NO_CREDENTIAL, body: { error: "Unauthorized" } },
    "GET /primes/:n/next": NO_CREDENTIAL,
    "GET /primes/:n/previous": NO_CREDENTIAL,
    "POST /primes": NO_CREDENTIAL,
    "GET /": 200,
    "GET /.well-known/jwks.json": 200,
    "GET /.well-known/oauth-protected-resource": 200,
    "GET /docs": 200,
    "GET /docs/page.css": 200,
    "GET /docs/start.js": 200,
    "GET /docs/swagger-ui-bundle.js": 200,
    "GET /docs/swagger-ui.css": 200,
    "GET /livez": 200,
    "GET /openapi.json": 200,
    "GET /readyz": 200,
    // On the private listener.
    "GET /metrics": 404,
  });
});

test("the first page of each listener says what it is, and its links lead somewhere", async () => {
  const api = await start();
  for (const url of [api.url, api.privateUrl]) {
    const page = await fetch(`${url}/`, { headers: { accept: "text/html" } });
    expect(await page.text()).toContain("<h1>Daykey resource-server");
    const { links } = (await (await fetch(url)).json()) as { links: Record<string, string> };
    for (const link of Object.values(links)) {
      expect([200, 503], link).toContain((await fetch(url + link)).status);
    }
  }
});

test("D3: answers that nobody reads are held once, however many ask for them", async () => {
  const api = await start();
  const { port } = new URL(api.url);
  const before = process.memoryUsage.rss();
  const sockets = Array.from({ length: 40 }, () => {
    const socket = connect(Number(port), "127.0.0.1").pause();
    const get = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n";
    socket.write(get.repeat(20));
    return socket;
  });
  const answered = () => api.lines.filter(({ route }) => String(route).startsWith("/docs/")).length;
  await expect.poll(answered).toBeGreaterThanOrEqual(40);
  for (let turn = 0; turn < 5; turn += 1) await fetch(`${api.url}/livez`);
  // What the system takes is sent: a few answers each, and not 20.
  expect(answered()).toBeLessThan(400);
  // One for each connection would be 60 MB, one for each request 1.2 GB.
  expect(process.memoryUsage.rss() - before).toBeLessThan(50 * 1024 * 1024);
  for (const socket of sockets) socket.destroy();
});

test("the private listener has probes and metrics, and no API", async () => {
  const api = await start();
  await api.time(api.token());
  expect(await getPrivate(api, "/livez")).toEqual({ status: 200, body: '{"status":"alive"}' });
  expect(await getPrivate(api, "/readyz")).toEqual({ status: 200, body: '{"status":"ready"}' });
  expect(await getPrivate(api, "/metrics")).toMatchObject({
    status: 200,
    body: expect.stringContaining("http_request_duration_seconds_bucket"),
  });
  for (const path of ["/time", "/primes/97", "/.well-known/oauth-protected-resource"]) {
    const headers = { Authorization: `Bearer ${api.token()}` };
    expect((await fetch(api.privateUrl + path, { headers })).status, path).toBe(404);
  }
});

test("probes need no token, and a bad one does not matter to them", async () => {
  const api = await start();
  await api.time(api.token());
  for (const path of ["/livez", "/readyz"]) {
    expect((await api.request(`GET ${path}`, { token: "a.b.c" })).status).toBe(200);
  }
});

test("a server is ready once it has its issuer's keys, and stays so without the issuer", async () => {
  const api = await start({ before: ({ publish }) => publish() });
  expect((await api.time(api.token())).status).toBe(503);
  expect(await getPrivate(api, "/readyz")).toEqual({
    status: 503,
    body: '{"status":"not ready","faults":{"keys":"not fetched from the issuer"}}',
  });
  expect(await getPrivate(api, "/livez")).toMatchObject({ status: 200 });
  expect(api.issuer.requests()).toBe(1);

  // Nobody sends requests to a server that is not ready: its probe is what tries again.
  api.issuer.publish(api.key.jwk);
  api.advance(1);
  expect(await getPrivate(api, "/readyz")).toMatchObject({ status: 503 });
  await api.issuer.requested(2);
  expect((await api.time(api.token())).status).toBe(200);
  expect(api.issuer.requests()).toBe(2);
  expect(await getPrivate(api, "/readyz")).toEqual({ status: 200, body: '{"status":"ready"}' });

  await api.issuer.stop();
  api.issuer.stop = () => Promise.resolve();
  api.advance(86_400);
  expect(await getPrivate(api, "/readyz")).toMatchObject({ status: 200 });
  expect((await api.time(api.token())).status).toBe(200);
});

test("keys are fetched at the start, so the first request does not wait for them", async () => {
  const { issuer } = await start();
  await issuer.requested(1);
  expect(issuer.requests()).toBe(1);
});

test("a port in use is told with its setting, and nothing is left listening", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as AddressInfo;
  const host = "127.0.0.1";
  const [first, second] = await Promise.allSettled([
    startResourceServer({ config: { public: { host, port } } }),
    startResourceServer({ config: { private: { host, port } } }),
  ]);
  for (const [result, setting] of [
    [first, "PORT"],
    [second, "PRIVATE_PORT"],
  ] as const) {
    const reason: unknown = result.status === "rejected" ? result.reason : undefined;
    expect(reason).toBeInstanceOf(ListenError);
    expect(String(reason)).toBe(
      `ListenError: Port ${port} of ${host} is in use by another process. Set ${setting} to another port.`,
    );
  }
  taken.close();
});

test("a stopped server listens nowhere", async () => {
  const api = await start();
  await api.request("GET /primes/170141183460469231731687303715884105727", { token: api.token() });
  running.splice(0);
  await api.stop();
  for (const url of [api.url, api.privateUrl]) {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNREFUSED");
  }
});

test("both listeners keep idle connections for KEEP_ALIVE_SECONDS, and say so", async () => {
  const api = await start({ config: { keepAliveSeconds: 7 } });
  for (const origin of [api.url, api.privateUrl]) {
    const { headers } = await fetch(`${origin}/livez`);
    expect(headers.get("keep-alive")).toBe("timeout=7");
  }
});

/** A composite of 1,200 digits without small factors: some time for one thread. */
const LONG = (2n ** 2203n - 1n) * (2n ** 1279n - 1n);

test.each(["GET /time", "POST /primes"])(
  "a client that closes its sending side gets its answer: %s",
  async (route) => {
    const api = await start();
    const token = await signed(api);
    const body = route === "POST /primes" ? JSON.stringify({ number: String(LONG) }) : "";
    const head =
      `Host: a\r\nAuthorization: Bearer ${token}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    for (const version of ["1.1", "1.0"]) {
      const socket = connect({ port: Number(new URL(api.url).port), allowHalfOpen: true });
      socket.end(`${route} HTTP/${version}\r\n${head}${body}`);
      const answer = await text(socket);
      const interim = version === "1.1" ? "(?:HTTP/1\\.1 102 Processing\r\n\r\n)*" : "";
      expect(answer).toMatch(new RegExp(`^${interim}HTTP/1\\.1 200 [^]*\\}$`));
      socket.destroy();
    }
  },
);
