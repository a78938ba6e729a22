/** A server of keys that does not play by the rules: whoever waits for it is let go in time. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { createTestLog } from "@daykey/service/test/log";
import { createKey } from "../../test/assertions.ts";
import { createClientJwks } from "./client-jwks.ts";
import { createKeySetFetch } from "./jwks-fetch.ts";

const stops: (() => void)[] = [];
afterAll(() => {
  for (const stop of stops) stop();
});

/** A server that says this to whoever asks, and its address. */
async function startServer(answer: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
    socket.once("data", () => answer(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stops.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
}

/** Says this again and again until the other side has gone. */
function forever(socket: Socket, begin: string, part: string): void {
  socket.write(begin);
  const timer = setInterval(() => socket.write(part), 50);
  socket.once("close", () => clearInterval(timer));
}

const OK = "HTTP/1.1 200 OK\r\n";
const HOSTILE: [name: string, answer: (socket: Socket) => void][] = [
  [
    "101 Switching Protocols",
    (socket) =>
      socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
  ],
  ["101 without Upgrade", (socket) => socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n")],
  ["103 for ever", (socket) => forever(socket, "", "HTTP/1.1 103 Early Hints\r\n\r\n")],
  ["100 for ever", (socket) => forever(socket, "", "HTTP/1.1 100 Continue\r\n\r\n")],
  ["headers that never end", (socket) => forever(socket, OK, "a: b\r\n")],
  ["a header that never ends", (socket) => forever(socket, `${OK}a: `, "b")],
  ["a body that trickles", (socket) => forever(socket, `${OK}\r\n`, " ")],
  [
    "chunks that trickle",
    (socket) => forever(socket, `${OK}Transfer-Encoding: chunked\r\n\r\n`, "1\r\n \r\n"),
  ],
  ["silence", () => undefined],
  ["an end without an answer", (socket) => socket.end()],
  ["half a header, then an end", (socket) => socket.end("HTTP/1.1 200")],
  ["a body that is cut", (socket) => socket.end(`${OK}Content-Length: 100\r\n\r\n{`)],
  [
    "a redirect to itself",
    (socket) => socket.write("HTTP/1.1 302 Found\r\nLocation: /keys\r\nContent-Length: 0\r\n\r\n"),
  ],
  [
    "a gzip bomb",
    (socket) => {
      const body = gzipSync(Buffer.alloc(10_000_000));
      socket.write(`${OK}Content-Encoding: gzip\r\nContent-Length: ${body.length}\r\n\r\n`);
      socket.write(body);
    },
  ],
  ["another status", (socket) => socket.end("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")],
  ["what is no JSON", (socket) => socket.end(`${OK}\r\n<html>`)],
  ["no keys", (socket) => socket.end(`${OK}\r\n{}`)],
  ["more than is read", (socket) => socket.write(`${OK}\r\n${" ".repeat(100_000)}`)],
  ["no HTTP", (socket) => socket.write("\0\x01\x02 nonsense\r\n\r\n")],
];

describe.concurrent("let go in time, with a reason that the log tells", () => {
  test.each(HOSTILE)(
    "%s",
    async (_name, answer) => {
      const fetchKeySet = createKeySetFetch({ allowPrivate: true });
      const error: unknown = await fetchKeySet(await startServer(answer)).catch(
        (thrown: unknown) => thrown,
      );
      const { log, lines } = createTestLog();
      log.warn({ err: error }, "as it is logged");
      const { message, code } = (lines[0]?.["err"] ?? {}) as Record<string, unknown>;
      expect(message ?? code, String(error)).toEqual(expect.any(String));
    },
    60_000,
  );
});

test("a server that switched protocols is asked again later, with a line in the log each time", async () => {
  const key = createKey("one");
  const good = `{"keys":[${JSON.stringify(key.publicJwk)}]}`;
  const answers = [
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    `${OK}Content-Length: ${good.length}\r\n\r\n${good}`,
  ];
  const uri = await startServer((socket) => socket.write(answers.shift() ?? ""));
  const { log, lines } = createTestLog();
  let now = 1_800_000_000;
  const jwks = createClientJwks({
    fetchKeySet: createKeySetFetch({ allowPrivate: true }),
    capacity: 10,
    clock: () => now,
    log,
  });
  expect(await jwks.find(uri, () => true)).toEqual([]);
  expect(lines.map(({ event }) => event)).toEqual(["client_jwks_unread"]);
  now += 30;
  expect((await jwks.find(uri, () => true)).map(({ kid }) => kid)).toEqual(["one"]);
});
