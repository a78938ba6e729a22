/** A local HTTP server that answers as a test says, and a platform whose time a test moves. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Platform } from "../src/platform.ts";

export interface Received {
  method: string;
  /** Path and query. */
  target: string;
  headers: IncomingMessage["headers"];
  body: string;
  form: Record<string, string>;
}

export interface Reply {
  status?: number;
  headers?: Record<string, string>;
  /** An object is sent as JSON. */
  body?: unknown;
}

/** `cut` breaks the connection instead of answering, `hang` never answers. */
export type Behaviour = (request: Received, count: number) => Reply | "cut" | "hang";

export interface TestServer {
  url: string;
  /** All requests so far. */
  requests: Received[];
  answer(behaviour: Behaviour): void;
  stop(): Promise<void>;
}

export interface TestTime {
  now: number;
  /** How far the server's clock is ahead of the client's. */
  serverAhead: number;
  /** The pauses that were made; they take no time but the manual one. */
  pauses: number[];
  platform: Partial<Platform>;
}

export function createTime(): TestTime {
  const time: TestTime = {
    now: 1_795_262_400,
    serverAhead: 0,
    pauses: [],
    platform: {
      clock: () => time.now,
      random: () => 0.5,
      async wait(seconds, signal) {
        signal.throwIfAborted();
        time.pauses.push(seconds);
        time.now += seconds;
      },
    },
  };
  return time;
}

export async function startTestServer(time: TestTime = createTime()): Promise<TestServer> {
  const requests: Received[] = [];
  let behaviour: Behaviour = () => ({ status: 404 });
  const server = createServer((req, res) => void respond(req, res));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  async function respond(req: IncomingMessage, res: ServerResponse): Promise<void> {
    let body = "";
    for await (const chunk of req.setEncoding("utf8")) body += chunk;
    const received = {
      method: req.method ?? "",
      target: req.url ?? "",
      headers: req.headers,
      body,
      form: Object.fromEntries(new URLSearchParams(body)),
    };
    requests.push(received);
    const reply = behaviour(received, requests.length);
    if (reply === "hang") return;
    if (reply === "cut") {
      res.destroy();
      return;
    }
    const isJson = typeof reply.body === "object";
    res.writeHead(reply.status ?? 200, {
      ...(isJson && { "content-type": "application/json" }),
      date: new Date((time.now + time.serverAhead) * 1000).toUTCString(),
      ...reply.headers,
    });
    res.end(isJson ? JSON.stringify(reply.body) : (reply.body ?? ""));
  }

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer: (next) => (behaviour = next),
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** A token endpoint's answer; the n-th has its number in both tokens. */
export function tokens(n: number, changes: Record<string, unknown> = {}): Reply {
  const body = {
    access_token: `access-${n}`,
    token_type: "Bearer",
    expires_in: 600,
    scope: "time:read",
    refresh_token: `dkr1.refresh-${n}`,
    ...changes,
  };
  return { body };
}

export function refusal(
  status: number,
  error: string,
  headers: Record<string, string> = {},
): Reply {
  return { status, body: { error, error_description: "No." }, headers };
}
