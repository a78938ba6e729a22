/** A TCP proxy before PostgreSQL, which a test cuts: the database is down for one server only. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface DatabaseProxy {
  /** The connection string, by way of the proxy. */
  url: string;
  /** Ends every connection and refuses new ones. */
  cut(): void;
  restore(): void;
  /**
   * Once, when a statement whose protocol text holds `text` is on its way: PostgreSQL gets it and
   * commits, but its answer is lost with the connection.
   */
  loseAnswerTo(text: string): void;
  stop(): Promise<void>;
}

export async function startDatabaseProxy(connectionString: string): Promise<DatabaseProxy> {
  const target = new URL(connectionString);
  const sockets = new Set<Socket>();
  let isCut = false;
  let losing: string | undefined;

  const server = createServer((client) => {
    const database = connectTo(target);
    let isLosing = false;
    for (const socket of [client, database]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        database.destroy();
      });
    }
    if (isCut) client.destroy();
    client.on("data", (data) => {
      if (losing !== undefined && data.includes(losing)) {
        isLosing = true;
        losing = undefined;
      }
      database.write(data);
    });
    database.on("data", (data) => {
      if (isLosing) client.destroy();
      else client.write(data);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const url = new URL(connectionString);
  url.searchParams.delete("host");
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  function cut(): void {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  }
  return {
    url: url.href,
    cut,
    restore: () => void (isCut = false),
    loseAnswerTo: (text) => void (losing = text),
    async stop() {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}

function connectTo(target: URL): Socket {
  const port = target.port === "" ? "5432" : target.port;
  const directory = target.searchParams.get("host");
  return directory?.startsWith("/")
    ? connect(`${directory}/.s.PGSQL.${port}`)
    : connect(Number(port), target.hostname);
}
