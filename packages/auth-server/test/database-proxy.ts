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
  /** Makes the nth statement from now one that PostgreSQL refuses (42601). */
  spoilStatement(n: number): void;
  /** Statements that have come since `spoilStatement`. */
  statements(): number;
  /** Connections of the server that are open. */
  connections(): number;
  stop(): Promise<void>;
}

export async function startDatabaseProxy(connectionString: string): Promise<DatabaseProxy> {
  const target = new URL(connectionString);
  const sockets = new Set<Socket>();
  let isCut = false;
  let losing: string | undefined;
  let spoiled = 0;
  let statements = 0;

  /** What comes after a connection's first packet is messages; each statement is one, and comes whole. */
  function spoil(data: Buffer): void {
    for (let at = 0; at + 5 <= data.length; at += 1 + data.readUInt32BE(at + 1)) {
      const type = String.fromCodePoint(data[at] ?? 0);
      if (type !== "Q" && type !== "P") continue;
      statements += 1;
      if (statements !== spoiled) continue;
      // A prepared statement's name comes before its text.
      data.write("xx", type === "Q" ? at + 5 : data.indexOf(0, at + 5) + 1);
    }
  }

  const server = createServer((client) => {
    const database = connectTo(target);
    let isLosing = false;
    let isBegun = false;
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
      if (isBegun) spoil(data);
      isBegun = true;
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
    spoilStatement(n) {
      spoiled = n;
      statements = 0;
    },
    statements: () => statements,
    // Each has two sides here.
    connections: () => sockets.size / 2,
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
