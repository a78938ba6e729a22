/** A gateway with a real auth-server behind it, and the service that proxies pass requests on to. */
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import {
  API,
  ISSUER,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "@daykey/auth-server/test/auth-server";
import { createTestLog } from "@daykey/service/test/log";
import { type GatewayConfig, readConfig } from "../src/config.ts";
import { HTTP_DOORS } from "../src/doors.ts";
import { createGateway, type Gateway } from "../src/server.ts";

export const HOST = "api.example.test";

/** Whatever the tests of doors ask for. */
export const ROUTES = `
hosts:
  ${HOST}:
    routes:
      - { path: /open, access: public }
      - { path: /time, methods: [GET], scope: time:read }
      - { path: /time, methods: [POST], scope: primes:check }
      - { path: /limited, scope: time:read, quota: { name: limited, limit: 2, window: day } }
      - { path: /mine, scope: time:read, only: [nobody] }
      - { path: /admin/**, scope: admin }
      - { path: /files/**, scope: time:read }
      - { path: /files/secret/**, access: denied }
`;

/** Claims of the tests' client, with what a header could not hold as it is. */
const EXT = { note: 'a, b; "ü"', level: 3 };
export const EXT_HEADER = Buffer.from(JSON.stringify(EXT)).toString("base64url");

/** A request as the service got it. */
export interface Seen {
  method: string;
  url: string;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

export interface Service {
  port: number;
  seen: Seen[];
  stop(): Promise<void>;
}

/** It knows nothing of tokens: it answers 200 with what it got. */
export async function startService(): Promise<Service> {
  const seen: Seen[] = [];
  // As large as any proxy passes on.
  const server = createServer({ maxHeaderSize: 64 * 1024 }, (req: IncomingMessage, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      const { method = "", url = "", headers } = req;
      seen.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
      res.setHeader("Content-Type", "application/json");
      res.end(JSON.stringify(seen.at(-1)));
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

export interface TestGateway extends Gateway {
  auth: TestAuthServer;
  url: string;
  privateUrl: string;
  lines: Record<string, unknown>[];
  /** The client that every test may use, with all of the API's scopes. */
  client: TestClient;
  /** An access token for the API. */
  token(client?: TestClient, form?: Record<string, string>): Promise<string>;
  /** The content of the routes file from now on. */
  write(routes: string): void;
}

/** The client that may ask about the tokens of the API: there is one at each auth-server. */
const owners = new WeakMap<TestAuthServer, TestClient>();

async function makeOwner(auth: TestAuthServer): Promise<TestClient> {
  const own = await auth.createClient({
    scopes: ["introspect", "revocations:read"],
    resources: [ISSUER],
  });
  const set = "update daykey.resources set owner_client_id = $1 where uri = $2";
  await auth.database.query(set, [own.clientId, API]);
  owners.set(auth, own);
  return own;
}

export async function startGateway(
  options: { config?: Partial<GatewayConfig>; routes?: string; auth?: TestAuthServer } = {},
): Promise<TestGateway> {
  const auth = options.auth ?? (await startAuthServer({ config: { tokenExchange: true } }));
  const own = owners.get(auth) ?? (await makeOwner(auth));
  const client = await auth.createClient({ ext: EXT });
  await auth.look();
  const { log, lines } = createTestLog();
  let routes = options.routes ?? ROUTES;
  const gateway = await createGateway(
    {
      ...readConfig({
        ROUTES_FILE: "routes.yaml",
        DOORS: HTTP_DOORS.join(","),
        GRPC_PORT: "0",
        RESOURCE: API,
        ISSUER,
        AUTH_SERVER_URL: auth.url,
        TRUSTED_PROXIES: "127.0.0.1",
        PORT: "0",
        PRIVATE_PORT: "0",
        STOP_DELAY_SECONDS: "0",
      }),
      readRoutes: () => routes,
      credential: own,
      ...options.config,
    },
    { clock: auth.now, log },
  );
  const started: TestGateway = {
    ...gateway,
    auth,
    url: `http://127.0.0.1:${gateway.publicPort}`,
    privateUrl: `http://127.0.0.1:${gateway.privatePort}`,
    lines,
    client,
    async token(of = client, form = {}) {
      const { body } = await auth.clientCredentials(of, { resource: API, ...form });
      return String(body["access_token"]);
    },
    write: (text) => void (routes = text),
    async stop() {
      await gateway.stop();
      if (!options.auth) await auth.stop();
    },
  };
  while (gateway.unreadiness() !== undefined)
    await new Promise((resolve) => setTimeout(resolve, 5));
  return started;
}
