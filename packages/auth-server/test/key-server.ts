/** Where a client publishes its keys: a real HTTP server whose answer a test chooses. */
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

export interface KeyServer {
  /** By http on loopback. */
  uri: string;
  /** Paths that were asked for. */
  asked: string[];
  /** Publishes these keys from now on. */
  publish(...jwks: unknown[]): void;
  /** Answers so from now on. */
  answer(listener: RequestListener): void;
  stop(): Promise<void>;
}

export async function startKeyServer(): Promise<KeyServer> {
  const asked: string[] = [];
  let listener: RequestListener;
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    listener(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const publish = (...jwks: unknown[]): void => {
    listener = (_request, response) => void response.end(JSON.stringify({ keys: jwks }));
  };
  publish();
  return {
    uri: `http://127.0.0.1:${port}/keys`,
    asked,
    publish,
    answer: (chosen) => void (listener = chosen),
    async stop() {
      server.closeAllConnections();
      await once(server.close(), "close");
    },
  };
}
