/** An egress proxy, an upstream under a test's control, and an auth-server that gives the tokens. */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { API, startAuthServer, type TestAuthServer } from "@daykey/auth-server/test/auth-server";
import type { Listeners } from "@daykey/service/process/lifecycle";
import { createTestLog } from "@daykey/service/test/log";
import { createEgress } from "../src/egress.ts";

/** What the upstream got. */
export interface Received {
  line: string;
  headers: IncomingMessage["headers"];
  body: string;
}

export interface TestEgress extends Listeners {
  url: string;
  lines: Record<string, unknown>[];
}

export interface EgressBench {
  auth: TestAuthServer;
  folder: string;
  upstreamUrl: string;
  /** What the upstream received since `reset`. */
  seen: Received[];
  /** From now on the upstream answers so. */
  answer(listener: (...given: Parameters<RequestListener>) => unknown): void;
  /** The upstream answers "hello" to everything. */
  reset(): void;
  /** Notes a request once all of it is there. */
  see(req: IncomingMessage): Promise<void>;
  /** Answers as the upstream does. */
  listener: RequestListener;
  /** The token, `Bearer` before it, of a request to the upstream; the last by default. */
  bearer(index?: number): string;
  /** A credential file of a new client of this server, the bench's own by default. */
  credentialFile(name: string, of?: TestAuthServer): Promise<string>;
  start(upstreams: string): Promise<TestEgress>;
  stop(): Promise<void>;
}

export async function startEgressBench(): Promise<EgressBench> {
  const auth = await startAuthServer();
  const folder = mkdtempSync(join(tmpdir(), "daykey-egress-"));
  let answer: (...given: Parameters<RequestListener>) => unknown;
  const listener: RequestListener = (req, res) => void answer(req, res);
  const upstream = createServer(listener).listen(0, "127.0.0.1");
  await once(upstream, "listening");
  const started: TestEgress[] = [];

  const bench: EgressBench = {
    auth,
    folder,
    upstreamUrl: `http://127.0.0.1:${portOf(upstream)}`,
    seen: [],
    answer: (given) => void (answer = given),
    reset() {
      bench.seen.length = 0;
      answer = async (req: IncomingMessage, res: Parameters<RequestListener>[1]) => {
        await bench.see(req);
        res.setHeader("Connection", "X-Hop");
        res.setHeader("X-Hop", "1");
        res.setHeader("Set-Cookie", ["a=1", "b=2"]);
        res.end("hello");
      };
    },
    async see(req) {
      const chunks: Buffer[] = [];
      req.on("data", (chunk: Buffer) => chunks.push(chunk));
      await once(req, "end");
      const body = Buffer.concat(chunks).toString("latin1");
      bench.seen.push({ line: `${req.method} ${req.url}`, headers: req.headers, body });
    },
    listener,
    bearer: (index = -1) => String(bench.seen.at(index)?.headers.authorization),
    async credentialFile(name, of = auth) {
      const client = await of.createClient({ grantTypes: ["client_credentials"] });
      const path = join(folder, name);
      const content = {
        issuer: of.config.issuer,
        // Where it is reached is not what it is called.
        token_endpoint: `${of.url}/oauth2/token`,
        resource: API,
        client_id: client.clientId,
        client_secret: client.clientSecret,
        salt: client.salt,
      };
      writeFileSync(path, JSON.stringify(content));
      return path;
    },
    async start(upstreams) {
      const { log, lines } = createTestLog();
      const egress = await createEgress(
        {
          upstreamsFile: "upstreams.yaml",
          upstreams,
          public: { host: "127.0.0.1", port: 0 },
          private: { host: "127.0.0.1", port: 0 },
          tls: undefined,
          clientCertificates: "off",
          trustedProxies: [],
          requestsPerAddress: 0,
          keepAliveSeconds: 75,
          workers: 1,
          stopDelaySeconds: 0,
          traces: undefined,
          logLevel: "debug",
        },
        { log },
      );
      const one = { ...egress, url: `http://127.0.0.1:${egress.publicPort}`, lines };
      started.push(one);
      return one;
    },
    async stop() {
      await Promise.all(started.map((egress) => egress.stop()));
      upstream.closeAllConnections();
      upstream.close();
      await auth.stop();
      rmSync(folder, { recursive: true });
    },
  };
  bench.reset();
  return bench;
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
