/** A TCP proxy before an HTTP server, which a test cuts. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface TcpProxy {
  /** The server's, by way of the proxy. */
  url: string;
  /** Ends every connection and refuses new ones. */
  cut(): void;
  /** Lets nothing through any more, and nobody know: as a cable that was pulled. */
  hold(): void;
  /** New connections get through; those held or cut do not come back. */
  restore(): void;
  stop(): Promise<void>;
}

export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let state: "open" | "held" | "cut" = "open";

  const server = createServer((client) => {
    if (state === "cut") {
      client.destroy();
      return;
    }
    const upstream = connect(Number(port), hostname);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      if (state === "open") from.pipe(to);
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");

  function cut(): void {
    state = "cut";
    for (const socket of sockets) socket.destroy();
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    hold() {
      state = "held";
      for (const socket of sockets) socket.unpipe().pause();
    },
    restore: () => void (state = "open"),
    async stop() {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}
