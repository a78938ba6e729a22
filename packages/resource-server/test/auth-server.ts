/**
 * An auth-server as a resource server speaks to it: tokens, the revocation feed and introspection, all
 * under a test's control.
 */
import { randomBytes } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { PATHS } from "@daykey/common/protocol";
import type { OwnCredential } from "@daykey/guard/tokens/own-client";
import { startHttpStub } from "./issuer.ts";

export interface Entry {
  kind: string;
  subject: string;
  epoch?: number;
  expires_at: number | null;
}

export interface UsageReport {
  reporter: string;
  seq: number;
  resource: string;
  counts: object[];
}

/** One connection to the feed. */
export interface FeedConnection {
  token: string;
  send(event: string, data?: unknown): void;
  revoke(entry: Entry): void;
  /** Bytes as they are. */
  write(bytes: string | Uint8Array): void;
  /** The stream's regular end. */
  end(): void;
  isClosed(): boolean;
}

export interface TestAuthServer {
  url: string;
  credential: OwnCredential;
  /** The forms of the token requests so far. */
  tokenForms: Record<string, string>[];
  /** The life of the tokens it gives from now on. */
  lifeSeconds: number;
  /** What each new connection receives first. */
  entries: Entry[];
  /** All connections so far. */
  feeds: FeedConnection[];
  /** The newest connection. */
  feed(): FeedConnection;
  /** The forms of the introspection requests so far. */
  questions: Record<string, string>[];
  /** The reports of usage so far, those that `answerUsage` refused too. */
  reports: { token: string; body: UsageReport }[];
  /** From now on these answer; undefined: as an auth-server does. */
  answerToken(listener: RequestListener | undefined): void;
  answerFeed(listener: RequestListener | undefined): void;
  answerIntrospection(listener: RequestListener): void;
  answerUsage(listener: RequestListener | undefined): void;
  /** The key ids that were asked about so far. */
  keyQuestions: string[];
  /** What is said of a key id; undefined: that it is not active. */
  answerKeys(answer: (keyId: string) => object | undefined): void;
  stop(): Promise<void>;
}

/** @param now epoch seconds, the `Date` of its answers to token requests */
export async function startAuthServer(now: () => number): Promise<TestAuthServer> {
  const stub = await startHttpStub();
  const given = new Set<string>();
  const listeners: Record<string, RequestListener | undefined> = {};

  async function giveToken(req: IncomingMessage, res: ServerResponse): Promise<void> {
    server.tokenForms.push(await readForm(req));
    const override = listeners[PATHS.token];
    if (override) return override(req, res);
    res.setHeader("date", new Date(now() * 1000).toUTCString());
    const access_token = `feed-token-${server.tokenForms.length}`;
    given.add(access_token);
    const { lifeSeconds: expires_in } = server;
    sendJson(res, { access_token, token_type: "Bearer", expires_in, scope: "revocations:read" });
  }

  function openFeed(req: IncomingMessage, res: ServerResponse): void {
    const token = req.headers.authorization?.replace("Bearer ", "") ?? "";
    if (!given.has(token)) return void res.writeHead(401).end();
    const connection: FeedConnection = {
      token,
      send: (event, data = {}) =>
        connection.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`),
      revoke: (entry) => connection.send("revocation", entry),
      write: (bytes) => void res.write(bytes),
      end: () => void res.end(),
      isClosed: () => res.closed,
    };
    server.feeds.push(connection);
    const override = listeners[PATHS.revocations];
    if (override) return override(req, res);
    res.writeHead(200, { "content-type": "text/event-stream" });
    for (const entry of server.entries) connection.revoke(entry);
    connection.send("live");
  }

  async function introspect(req: IncomingMessage, res: ServerResponse): Promise<void> {
    server.questions.push(await readForm(req));
    const answer = listeners[PATHS.introspect] ?? ((_req, out) => out.writeHead(503).end());
    answer(req, res);
  }

  async function takeUsage(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const token = req.headers.authorization?.replace("Bearer ", "") ?? "";
    const body = JSON.parse(await readText(req)) as UsageReport;
    server.reports.push({ token, body });
    const answer = listeners[PATHS.usage] ?? ((_req, out) => out.writeHead(204).end());
    answer(req, res);
  }
  async function tellKey(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { key_id: keyId = "" } = await readForm(req);
    server.keyQuestions.push(keyId);
    sendJson(res, keyAnswer(keyId) ?? { active: false });
  }
  let keyAnswer: (keyId: string) => object | undefined = () => undefined;

  const routes: Record<string, RequestListener> = {
    [`POST ${PATHS.token}`]: (req, res) => void giveToken(req, res),
    [`GET ${PATHS.revocations}`]: openFeed,
    [`POST ${PATHS.introspect}`]: (req, res) => void introspect(req, res),
    [`POST ${PATHS.usage}`]: (req, res) => void takeUsage(req, res),
    [`POST ${PATHS.signatureKeys}`]: (req, res) => void tellKey(req, res),
  };
  stub.answer((req, res) => {
    const route = routes[`${req.method} ${req.url}`];
    if (route) route(req, res);
    else res.writeHead(404).end();
  });

  const server: TestAuthServer = {
    url: stub.url,
    credential: createCredential(),
    tokenForms: [],
    lifeSeconds: 600,
    entries: [],
    feeds: [],
    feed() {
      const feed = server.feeds.at(-1);
      if (!feed) throw new TypeError("there was no connection yet");
      return feed;
    },
    questions: [],
    reports: [],
    answerToken: (listener) => void (listeners[PATHS.token] = listener),
    answerFeed: (listener) => void (listeners[PATHS.revocations] = listener),
    answerUsage: (listener) => void (listeners[PATHS.usage] = listener),
    keyQuestions: [],
    answerKeys: (answer) => void (keyAnswer = answer),
    answerIntrospection: (listener) => void (listeners[PATHS.introspect] = listener),
    stop: stub.stop,
  };
  return server;
}

export function sendJson(res: ServerResponse, body: unknown, status = 200): void {
  res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

/** The credential of a client `resource-server`, with a generated secret. */
function createCredential(): OwnCredential {
  return {
    clientId: "resource-server",
    clientSecret: "dks_r3s0urc3_BQWeEnktNXfuBwjlrPAilAEL4D8njCArgl6a1zogRQd_0Q65In",
    salt: randomBytes(16).toString("hex"),
  };
}

async function readForm(req: IncomingMessage): Promise<Record<string, string>> {
  return Object.fromEntries(new URLSearchParams(await readText(req)));
}

async function readText(req: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of req.setEncoding("utf8")) body += String(chunk);
  return body;
}
