/** deploy/haproxy/haproxy.cfg in a HAProxy of this machine, before servers that do as they are told. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { request } from "node:https";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { selfSignedCertificate } from "@daykey/local/containers/self-signed-certificate";
import { selfSigned } from "@daykey/service/test/certificates";
import { freePorts } from "@daykey/service/test/free-ports";
import { machineTool } from "@daykey/service/test/machine-tool";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ROOT } from "../test/stack.ts";

const haproxy = machineTool("haproxy");
const RESOURCE = "https://api.example.com";
/** Connections of one address. */
const LIMIT = 512;
/** Whose word on the PROXY protocol is taken. */
const LOAD_BALANCER = "127.0.0.9";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
const PATIENCE = { timeout: 50_000 };

interface Answer {
  status: number;
  headers: IncomingMessage["headers"];
  body: unknown;
}

describe.skipIf(!haproxy)("the proxy of docker-compose.yml", () => {
  let folder: string;
  let backends: Record<"auth" | "resource", Server>;
  let proxy: ChildProcess;
  /** Ports of the two backends and the two frontends. */
  let ports: number[];
  let port: number;
  let issuer: string;

  /** What the servers do with a request for this path. */
  function serve(req: IncomingMessage, res: ServerResponse): void {
    if (req.url === "/closes") req.socket.destroy();
    else if (req.url !== "/hangs") res.end(JSON.stringify(req.headers));
  }

  async function listen(): Promise<void> {
    const all = Object.values(backends).map((server, i) => {
      server.listen(ports[i], "127.0.0.1");
      return once(server, "listening");
    });
    await Promise.all(all);
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "daykey-proxy-"));
    backends = { auth: createServer(serve), resource: createServer(serve) };
    ports = await freePorts(4);
    await listen();
    port = ports[2] ?? 0;
    issuer = `https://localhost:${port}`;
    const names = ["localhost", "api.example.com"];
    const now = Date.now() / 1000;
    const { key, certificate } = selfSignedCertificate({ names, now, days: 2 });
    await writeFile(join(folder, "server.pem"), key + certificate);
    const file = join(folder, "haproxy.cfg");
    const text = await readFile(join(ROOT, "deploy/haproxy/haproxy.cfg"), "utf8");
    const here = text
      .replaceAll("/run/daykey/tls", folder)
      .replace("server-template auth-server- 20 auth-server:4000", `server a 127.0.0.1:${ports[0]}`)
      .replace(
        "server-template resource-server- 20 resource-server:5000",
        `server a 127.0.0.1:${ports[1]}`,
      )
      .replace(" resolvers docker init-addr none", "")
      .replace("timeout server 40s", "timeout server 1s")
      .replace("timeout http-request 10s", "timeout http-request 2s");
    await writeFile(file, here);
    proxy = spawn(haproxy ?? "", ["-db", "-f", file], {
      stdio: ["ignore", "ignore", "inherit"],
      env: {
        ...process.env,
        AUTH_PORT: String(port),
        RESOURCE_PORT: String(ports[3]),
        ISSUER: issuer,
        RESOURCE,
        PROXY_PROTOCOL_FROM: LOAD_BALANCER,
      },
    });
    await vi.waitUntil(
      async () => (await ask(issuer, "/").catch(() => undefined))?.status === 200,
      PATIENCE,
    );
  });
  afterAll(async () => {
    proxy.kill();
    for (const server of Object.values(backends)) server.close().closeAllConnections();
    await rm(folder, { recursive: true });
  });

  /** A GET for this origin, from this address of the machine. */
  async function ask(
    origin: string,
    path: string,
    localAddress = "127.0.0.1",
    { shown = {}, said = {} }: { shown?: { cert?: string; key?: string }; said?: object } = {},
  ): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const own = { ...shown, rejectUnauthorized: false };
    const options = { host: "127.0.0.1", port, path, localAddress, ...own };
    const headers = { ...said, host: origin.replace("https://", "") };
    const sent = request({ ...options, agent: false, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => {
        const body: unknown = JSON.parse(text);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
    });
    sent.once("error", reject).end();
    return promise;
  }

  async function open(localAddress: string): Promise<Socket> {
    const socket = connect({ port, host: "127.0.0.1", localAddress });
    socket.on("error", () => {});
    // One that is refused may be closed before its connection is known to stand.
    await new Promise((resolve) => socket.once("connect", resolve).once("close", resolve));
    return socket;
  }

  test("silent connections from one address are so many at most, and bar no other", async () => {
    const sockets = await Promise.all(Array.from({ length: LIMIT + 100 }, () => open("127.0.0.2")));
    const isClosed = (socket: Socket): boolean => socket.closed || socket.readableEnded;
    for (const socket of sockets) socket.resume();
    await vi.waitUntil(() => sockets.filter(isClosed).length === 100, PATIENCE);
    await expect(ask(issuer, "/", "127.0.0.2")).rejects.toThrow(/socket|ECONNRESET/);
    expect((await ask(issuer, "/", "127.0.0.3")).status).toBe(200);
    for (const socket of sockets) socket.destroy();
    await vi.waitUntil(async () => {
      const answer = await ask(issuer, "/", "127.0.0.2").catch(() => undefined);
      return answer?.status === 200;
    }, PATIENCE);
  });

  test("of a load balancer's connections each counts for whom it is passed on, and so is its address told", async () => {
    const socket = await open(LOAD_BALANCER);
    socket.write(`PROXY TCP4 203.0.113.9 203.0.113.1 55555 ${port}\r\n`);
    const secure = connectTls({ socket, rejectUnauthorized: false });
    secure.write(`GET / HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: close\r\n\r\n`);
    let text = "";
    for await (const chunk of secure) text += String(chunk);
    expect(text).toContain('"x-forwarded-for":"203.0.113.9"');
  });

  test("M1: the servers are told the certificate that a client proved, and nothing that it says", async () => {
    const { cert, key, field, der } = await selfSigned();
    const said = { "client-cert": field, "client-cert-chain": field };
    const from = "127.0.0.1";
    for (const origin of [issuer, RESOURCE]) {
      const none = await ask(origin, "/", from, { said });
      expect(JSON.stringify(none.body)).not.toContain(der.toString("base64"));
      const other = { ...said, "client-cert": ":AAAA:" };
      const { body } = await ask(origin, "/", from, { shown: { cert, key }, said: other });
      expect(body).toMatchObject({ "client-cert": field });
      expect(body).not.toHaveProperty("client-cert-chain");
    }
  });

  test("who is no load balancer cannot choose its address by the PROXY protocol", async () => {
    const socket = await open("127.0.0.1");
    socket.write(`PROXY TCP4 203.0.113.9 203.0.113.1 55555 ${port}\r\n`);
    await once(socket.resume(), "close");
    expect((await ask(issuer, "/")).body).toMatchObject({ "x-forwarded-for": "127.0.0.1" });
  });

  test.each([
    ["/closes", 502, "server_error", "about:blank"],
    ["/hangs", 504, "server_error", "about:blank"],
  ])("%s: %i, in the form that the origin's callers know", async (path, status, error, type) => {
    const atIssuer = await ask(issuer, path);
    expect(atIssuer).toMatchObject({ status, body: { error } });
    expect(atIssuer.headers["content-type"]).toBe("application/json; charset=utf-8");
    const atResource = await ask(RESOURCE, path);
    expect(atResource).toMatchObject({ status, body: { type, status } });
    expect(atResource.headers).toMatchObject({
      "content-type": "application/problem+json",
      "cache-control": "no-store",
    });
  });

  test("503 without a server: the servers' own words, and when to try again", async () => {
    for (const server of Object.values(backends)) server.close().closeAllConnections();
    const isGone = async (origin: string) => (await ask(origin, "/")).status === 503;
    await vi.waitUntil(async () => (await isGone(issuer)) && (await isGone(RESOURCE)), PATIENCE);
    const atIssuer = await ask(issuer, "/");
    expect(atIssuer.body).toEqual({
      error: "temporarily_unavailable",
      error_description: "The server cannot answer now. Try again.",
    });
    expect(atIssuer.headers["retry-after"]).toBe("1");
    const atResource = await ask(RESOURCE, "/");
    expect(atResource.body).toEqual({
      type: "urn:daykey:problem:temporarily-unavailable",
      title: "The server cannot answer now. Try again.",
      status: 503,
    });
    expect(atResource.headers["retry-after"]).toBe("1");
    await listen();
    await vi.waitUntil(async () => !(await isGone(issuer)) && !(await isGone(RESOURCE)), PATIENCE);
  });

  test("421 names the origins that are served", async () => {
    const { status, headers, body } = await ask("https://elsewhere.example", "/");
    expect(status).toBe(421);
    expect(headers["content-type"]).toBe("application/problem+json");
    expect((body as { detail: string }).detail).toContain(`${issuer} and ${RESOURCE}`);
  });

  test("a Host with https's own port is the origin without it", async () => {
    expect((await ask(`${RESOURCE}:443`, "/")).status).toBe(200);
  });

  test("HSTS is told to all but localhost", async () => {
    expect((await ask(issuer, "/")).headers).not.toHaveProperty("strict-transport-security");
    for (const path of ["/", "/closes"]) {
      const { headers } = await ask(RESOURCE, path);
      expect(headers["strict-transport-security"]).toBe("max-age=63072000");
    }
  });

  test.each([
    ["ECDHE-ECDSA-AES128-GCM-SHA256", true],
    ["ECDHE-ECDSA-CHACHA20-POLY1305", true],
    ["ECDHE-ECDSA-AES128-SHA256", false],
    ["ECDHE-ECDSA-AES256-SHA", false],
    ["ECDHE-ECDSA-AES256-CCM", false],
  ])("TLS 1.2 with %s: %s", async (ciphers, isTaken) => {
    const secure = connectTls({
      host: "127.0.0.1",
      port,
      rejectUnauthorized: false,
      maxVersion: "TLSv1.2",
      ciphers,
    });
    const taken = once(secure, "secureConnect").then(
      () => true,
      () => false,
    );
    expect(await taken).toBe(isTaken);
    secure.destroy();
  });
});
