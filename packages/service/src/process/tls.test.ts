import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { connect as connectPlain } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";

import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";

import { readAll } from "../../test/app-server.ts";
import {
  createAuthority,
  selfSigned,
  SERVER_AUTH,
  type TestAuthority,
  type TestCertificate,
} from "../../test/certificates.ts";
import { createTestLog } from "../../test/log.ts";
import { createTrustedProxies } from "../http/address.ts";
import { createApp } from "../http/app.ts";
import { createCertificateReader } from "../http/client-certificate.ts";
import { PROBLEM_FORMAT } from "../http/errors.ts";
import type { Limits } from "../http/http-server.ts";
import { readContent } from "../http/json-body.ts";
import { createRouter } from "../http/router.ts";
import { createMetrics } from "../observe/metrics.ts";
import { createHealth } from "./health.ts";
import { type Listeners, startListeners } from "./lifecycle.ts";
import { openServerTls } from "./tls.ts";

let authority: TestAuthority;
let first: TestCertificate;
let second: TestCertificate;
let client: TestCertificate;
let folder: string;
const server = { usages: [SERVER_AUTH], names: [{ type: "ip", value: "127.0.0.1" }] as const };
beforeAll(async () => {
  authority = await createAuthority();
  const names = [...server.names];
  const between = await authority.issueAuthority({ subject: "CN=Between" });
  [first, second, client] = await Promise.all([
    authority.issue({ ...server, names, subject: "CN=first" }),
    authority.issue({ ...server, names, subject: "CN=second" }),
    between.issue({ subject: "CN=client" }),
  ]);
  folder = mkdtempSync(join(tmpdir(), "daykey-tls-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const started: Listeners[] = [];
afterEach(async () => void (await Promise.all(started.splice(0).map((one) => one.stop()))));

const certificateFile = () => join(folder, "tls.pem");
const keyFile = () => join(folder, "tls.key");

function put({ chain, key }: Pick<TestCertificate, "chain" | "key">): void {
  // A whole file in place of a whole file, as tools that renew certificates do it.
  for (const [path, text] of [
    [certificateFile(), chain],
    [keyFile(), key],
  ] as const) {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  }
}

function open({ asksClients = false, clock = () => Date.now() / 1000 } = {}) {
  const { log, lines } = createTestLog();
  const metrics = createMetrics({ name: "test" });
  const settings = { certificateFile: certificateFile(), keyFile: keyFile(), asksClients };
  const tls = openServerTls(settings, { clock, log, metrics, lookSeconds: 0.02 });
  return { tls, log, lines, metrics };
}

async function start({
  asksClients = false,
  limits = {},
}: { asksClients?: boolean; limits?: Partial<Limits> } = {}) {
  const { tls, log, lines, metrics } = open({ asksClients });
  const trustedProxies = createTrustedProxies([]);
  const certificateOf = createCertificateReader({ source: "tls", trustedProxies });
  const router = createRouter();
  router.get("/certificate", (ctx) => {
    const { der, chain = [] } = certificateOf(ctx.req) ?? {};
    ctx.body = {
      der: der && Buffer.from(der).toString("base64"),
      chain: chain.map((one) => Buffer.from(one).toString("base64")),
    };
  });
  router.post("/form", async (ctx) => {
    ctx.body = { length: (await readContent(ctx.req, 1024)).length };
  });
  router.get("/large", (ctx) => {
    ctx.body = "x".repeat(8 * 1024 * 1024);
  });
  const app = createApp({ log, trustedProxies, errorFormat: PROBLEM_FORMAT, routers: [router] });
  const listeners = await startListeners({
    public: { app, host: "127.0.0.1", port: 0, tls },
    private: { app, host: "127.0.0.1", port: 0 },
    health: createHealth(),
    log,
    trustedProxies,
    limits: { drainSeconds: 0.2, ...limits },
  });
  started.push(listeners);
  return { port: listeners.publicPort, lines, metrics };
}

async function dial(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port, host: "127.0.0.1", ca: authority.cert, ...options });
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  return socket;
}

async function servedName(port: number): Promise<string | undefined> {
  const socket = await dial(port);
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return [subject.CN].flat()[0];
}

async function get(port: number, options: ConnectionOptions = {}): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const req = request(
    { port, host: "127.0.0.1", path: "/certificate", ca: authority.cert, agent: false, ...options },
    (res) => void json(res).then(resolve, reject),
  );
  req.on("error", reject).end();
  return promise;
}

const HEAD = "Host: a\r\nContent-Type: application/x-www-form-urlencoded\r\n";

test("H1: TLS 1.2 and HTTP/1.1 at least and at most, whatever the client offers", async () => {
  put(first);
  const { port } = await start();
  const offered = await dial(port, { ALPNProtocols: ["h2", "http/1.1"] });
  expect([offered.alpnProtocol, offered.getProtocol()]).toEqual(["http/1.1", "TLSv1.3"]);
  offered.destroy();
  const older = await dial(port, { maxVersion: "TLSv1.2" });
  expect(older.getProtocol()).toBe("TLSv1.2");
  older.destroy();
  const tooOld = {
    maxVersion: "TLSv1.1",
    minVersion: "TLSv1",
    ciphers: "ALL:@SECLEVEL=0",
  } as const;
  await expect(dial(port, tooOld)).rejects.toThrow(/protocol version|unsupported/i);
});

/** What is sent, and how the whole answer begins and ends. */
const EXCHANGES: Readonly<Record<string, readonly [sent: string, answer: RegExp]>> = {
  "two requests in one piece": [
    `GET /certificate HTTP/1.1\r\n${HEAD}\r\nGET /certificate HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`,
    /^HTTP\/1.1 200 (?:(?!HTTP)[^])*HTTP\/1.1 200 (?:(?!HTTP)[^])*\{"chain":\[\]\}$/,
  ],
  "Content-Length and Transfer-Encoding": [
    `POST /form HTTP/1.1\r\n${HEAD}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    /^HTTP\/1.1 400 (?:(?!HTTP)[^])*$/,
  ],
  "junk after a whole request": [
    `GET /certificate HTTP/1.1\r\n${HEAD}\r\njunk\r\n\r\n`,
    /^HTTP\/1.1 200 (?:(?!HTTP)[^])*HTTP\/1.1 400 (?:(?!HTTP)[^])*$/,
  ],
  "headers that are too large": [
    `GET /certificate HTTP/1.1\r\n${HEAD}X-A: ${"a".repeat(20_000)}\r\n\r\n`,
    /^HTTP\/1.1 431 (?:(?!HTTP)[^])*$/,
  ],
  "a body over the cap": [
    `POST /form HTTP/1.1\r\n${HEAD}Content-Length: 500000\r\n\r\n${"a".repeat(500_000)}`,
    /^HTTP\/1.1 413 (?:(?!HTTP)[^])*$/,
  ],
};

test.each(Object.entries(EXCHANGES))(
  "H1: the rules of a connection hold on TLS: %s",
  async (_, exchange) => {
    const [sent, answer] = exchange;
    put(first);
    const { port } = await start();
    const socket = await dial(port);
    socket.write(sent);
    expect(await readAll(socket)).toMatch(answer);
  },
);

test("H1: a client that has said all and closes its side still hears the answer, on TLS too", async () => {
  put(first);
  const { port } = await start();
  const socket = await dial(port, { allowHalfOpen: true } as ConnectionOptions);
  socket.end(`GET /certificate HTTP/1.1\r\n${HEAD}\r\n`);
  expect(await readAll(socket)).toMatch(/^HTTP\/1.1 200 [^]*\{"chain":\[\]\}$/);
});

test("D3: slow headers, an answer nobody reads, and a handshake that never ends have their end on TLS", async () => {
  put(first);
  const limits = { headersSeconds: 0.2, writeSeconds: 0.1, checkSeconds: 0.02, idleSeconds: 60 };
  const { port, lines } = await start({ limits });
  const slow = await dial(port);
  slow.write("GET /certificate");
  expect(await readAll(slow)).toMatch(/^HTTP\/1.1 408 /);
  const reader = await dial(port);
  reader.pause();
  reader.write(`GET /large HTTP/1.1\r\n${HEAD}\r\n`);
  await vi.waitFor(
    () => expect(lines).toContainEqual(expect.objectContaining({ reason: "answer_not_read" })),
    20_000,
  );
  reader.destroy();
  const silent = connectPlain(port, "127.0.0.1");
  silent.on("error", () => {});
  await once(silent, "close");
});

test("D3: connections of one address are counted before their handshake", async () => {
  put(first);
  const { port } = await start({ limits: { connectionsPerAddress: 1 } });
  const held = connectPlain(port, "127.0.0.1");
  await once(held, "connect");
  const more = connectPlain(port, "127.0.0.1");
  more.on("error", () => {});
  await once(more, "close");
  expect(held.readyState).toBe("open");
  held.destroy();
});

test("a new certificate in the files is served to new connections, and cuts none off", async () => {
  put(first);
  const { port, lines } = await start();
  const kept = await dial(port);
  expect(await servedName(port)).toBe("first");
  put(second);
  await vi.waitFor(async () => expect(await servedName(port)).toBe("second"), 20_000);
  kept.write(`GET /certificate HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`);
  expect(await readAll(kept)).toMatch(/^HTTP\/1.1 200 /);

  // Half of a renewal, or a mistake: what was read before serves on, and the log says why, once.
  put({ chain: first.chain, key: second.key });
  const unusable = () => lines.filter(({ event }) => event === "tls_files_unusable");
  await vi.waitFor(() => expect(unusable()).toHaveLength(1), 20_000);
  expect(await servedName(port)).toBe("second");
  put(first);
  await vi.waitFor(async () => expect(await servedName(port)).toBe("first"), 20_000);
});

const BAD_FILES: Readonly<Record<string, readonly [() => [cert: string, key: string], string]>> = {
  "no certificate": [
    () => ["hello", first.key],
    "TLS_CERTIFICATE_FILE does not begin with a certificate in PEM.",
  ],
  "an empty file": [
    () => ["", first.key],
    "TLS_CERTIFICATE_FILE does not begin with a certificate in PEM.",
  ],
  "the key in the certificate's place": [
    () => [first.key, first.key],
    "TLS_CERTIFICATE_FILE does not begin with a certificate in PEM.",
  ],
  "no key": [
    () => [first.cert, "hello"],
    "TLS_KEY_FILE holds no private key in PEM without a passphrase.",
  ],
  "another certificate's key": [
    () => [first.cert, second.key],
    "The key of TLS_KEY_FILE does not fit the first certificate of TLS_CERTIFICATE_FILE.",
  ],
  "the chain in the wrong order": [
    () => [`${authority.cert}\n${first.cert}`, first.key],
    "The key of TLS_KEY_FILE does not fit the first certificate of TLS_CERTIFICATE_FILE.",
  ],
};

test.each(Object.entries(BAD_FILES))(
  "a start with %s says which file is wrong, and how",
  (_, row) => {
    const [files, message] = row;
    const [chain, key] = files();
    put({ chain, key });
    expect(() => open()).toThrow(message);
  },
);

test("a start without the file says so, without its path", () => {
  rmSync(keyFile(), { force: true });
  expect(() => open()).toThrow("TLS_KEY_FILE names a file that cannot be read (ENOENT).");
});

test("an expired certificate is served, logged as an error and measured", async () => {
  put(first);
  const inTwoDays = () => Date.now() / 1000 + 2 * 86_400;
  const { lines, metrics } = open({ clock: inTwoDays });
  expect(lines).toEqual([
    expect.objectContaining({ event: "tls_certificate_expired", level: "error" }),
  ]);
  const text = await metrics.registry.metrics();
  const [, expires] = /^tls_certificate_expires_at_seconds\{[^}]*\} (\S+)$/m.exec(text) ?? [];
  expect(Number(expires)).toBeLessThan(inTwoDays());
  expect(text).toMatch(/^tls_files_current\{[^}]*\} 1$/m);
});

test("a client is asked for its certificate only where it should, and served without one too", async () => {
  put(first);
  const asking = await start({ asksClients: true });
  const own = { cert: client.chain, key: client.key };
  const { der, chain } = (await get(asking.port, own)) as { der: string; chain: string[] };
  expect([der, chain]).toEqual([client.der.toString("base64"), [expect.any(String)]]);
  expect(await get(asking.port)).toEqual({ chain: [] });
  const unknown = await selfSigned();
  expect(await get(asking.port, unknown)).toEqual({
    der: unknown.der.toString("base64"),
    chain: [],
  });
  const silent = await start();
  expect(await get(silent.port, own)).toEqual({ chain: [] });
});

test("no session is resumed where certificates are asked for: each connection proves its own", async () => {
  put(first);
  const { port } = await start({ asksClients: true });
  const before = await dial(port, { cert: client.chain, key: client.key });
  const sessions: Buffer[] = [];
  before.on("session", (session: Buffer) => sessions.push(session));
  before.write(`GET /certificate HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`);
  await readAll(before);
  for (const session of sessions) {
    const after = await dial(port, { session });
    expect(after.isSessionReused()).toBe(false);
    after.destroy();
  }
});
