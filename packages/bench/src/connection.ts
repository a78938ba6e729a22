/**
 * One HTTP/1.1 connection that sends ready-made bytes and takes answers apart as little as it can, so
 * that the server is the limit and not this: about 10 µs a request, where autocannon and `fetch` take
 * more than the server does. No pipelining: one request at a time.
 */
import { connect } from "node:net";

export interface Connection {
  /** The one before must have been answered. */
  send(request: Buffer): void;
  close(): void;
}

const HEAD_END = "\r\n\r\n";
const CONTENT_LENGTH = /\r\ncontent-length: (\d+)\r\n/i;

/** @param options.onAnswer is given the status line's code and the body, which is to be ASCII */
export function openConnection({
  port,
  onAnswer,
  onError,
}: {
  port: number;
  onAnswer: (status: number, body: string) => void;
  onError: (error: Error) => void;
}): Connection {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  let received = "";
  let isClosed = false;

  function fail(message: string, cause?: unknown): void {
    if (isClosed) return;
    isClosed = true;
    socket.destroy();
    onError(new Error(message, { cause }));
  }

  socket.setEncoding("latin1");
  socket.on("error", (cause) => fail("the connection broke", cause));
  socket.on("close", () => fail("the server closed the connection"));
  socket.on("data", (chunk: string) => {
    received = received === "" ? chunk : received + chunk;
    const headEnd = received.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const length = CONTENT_LENGTH.exec(received)?.[1];
    if (length === undefined) return fail("an answer without a Content-Length");
    const bodyStart = headEnd + HEAD_END.length;
    if (received.length < bodyStart + Number(length)) return;
    const body = received.slice(bodyStart);
    const status = Number(received.slice(9, 12));
    received = "";
    onAnswer(status, body);
  });

  return {
    send: (request) => void socket.write(request),
    close() {
      isClosed = true;
      socket.destroy();
    },
  };
}

export function post(
  port: number,
  path: string,
  form: Record<string, string>,
  headers: Record<string, string> = {},
): Buffer {
  const body = new URLSearchParams(form).toString();
  const type = { "Content-Type": "application/x-www-form-urlencoded" };
  const all = { ...type, "Content-Length": String(body.length), ...headers };
  return Buffer.from(`${head("POST", port, path, all)}${body}`);
}

export function get(port: number, path: string, headers: Record<string, string>): Buffer {
  return Buffer.from(head("GET", port, path, headers));
}

function head(method: string, port: number, path: string, headers: Record<string, string>): string {
  const fields = Object.entries({ Host: `127.0.0.1:${port}`, ...headers });
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}
