/** Stands before a token endpoint and can lose answers: the request was served, the client never learns it. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Exchange {
  form: Record<string, string>;
  /** What the server answered, whether or not the client got it. */
  status: number;
  answer: Record<string, string>;
  isLost: boolean;
}

export interface TokenProxy {
  url: string;
  /** What was served, in order. */
  exchanges: Exchange[];
  /** Loses the next `count` answers. */
  lose(count: number): void;
  /** While it is down, every connection ends before its request is read. */
  setDown(isDown: boolean): void;
  stop(): Promise<void>;
}

export async function startTokenProxy(tokenEndpoint: string): Promise<TokenProxy> {
  const exchanges: Exchange[] = [];
  let losses = 0;
  let isDown = false;

  async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    let body = "";
    for await (const chunk of req.setEncoding("utf8")) body += chunk;
    const { "content-type": contentType = "", authorization } = req.headers;
    const response = await fetch(tokenEndpoint, {
      method: "POST",
      headers: { "content-type": contentType, ...(authorization && { authorization }) },
      body,
    });
    const text = await response.text();
    const isLost = losses > 0;
    losses -= Number(isLost);
    exchanges.push({
      form: Object.fromEntries(new URLSearchParams(body)),
      status: response.status,
      answer: JSON.parse(text) as Record<string, string>,
      isLost,
    });
    if (isLost) {
      res.destroy();
      return;
    }
    const { date = "", "content-type": type = "" } = Object.fromEntries(response.headers);
    res.writeHead(response.status, { date, "content-type": type, connection: "close" }).end(text);
  }

  const server = createServer((req, res) => void serve(req, res).catch(() => res.destroy()));
  server.on("connection", (socket) => {
    if (isDown) socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/oauth2/token`,
    exchanges,
    lose: (count) => (losses = count),
    setDown: (down) => (isDown = down),
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
