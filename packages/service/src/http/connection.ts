/**
 * What a connection is owed below the routes (RFC 9112 §9): its requests are begun one at a time, junk
 * after a whole request spoils no answer, a client that has said all it wants still hears the answer,
 * and one that is still sending when it is refused can read why.
 *
 * Node keeps no public account of a connection. `Internals` is all that is used of its own.
 */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";

import type { App } from "./app.ts";
import type { Log } from "../observe/log.ts";

interface Internals {
  /** The answer that has the socket now. */
  _httpMessage?: ServerResponse | null;
  /** Bytes given to the system, and those of them that it has not taken yet. */
  _handle?: { readonly bytesWritten: number; readonly writeQueueSize: number } | null;
  /** Its `onIncoming` gets each request whose head was read; `NOTHING_MORE` ends its piece there. */
  parser?: { onIncoming: (req: IncomingMessage, keepAlive: boolean) => number } | null;
}

/** The parser takes what follows for another protocol, as after an upgrade, and reads none of it. */
const NOTHING_MORE = 2;

/**
 * More requests than these, that came in one piece ahead of their answers, end the connection. Node reads
 * a whole piece, 64 KiB, and keeps an answer for each request in it: 2,400 very small ones would hold
 * 7 MB for each connection whose client reads nothing.
 */
const MAX_WAITING = 100;

/**
 * Where more than these wait on all connections of a server, one that has sent a few ahead is ended.
 * Else 300 connections bring 30,000 at once, which takes a second to read while nobody else is served.
 */
const MAX_WAITING_TOGETHER = 1000;
const FEW_WAITING = 8;

/** In a turn the event loop reads up to 2 MiB of a connection, which is more than a request may have. */
const TURNS_TO_READ = 10;

/** The requests that were sent ahead on all connections of a server. */
export interface SentAhead {
  waiting: number;
}

/** How long, how patiently and how far a client is read that is refused while it sends. */
const LINGER_SECONDS = 10;
const LINGER_IDLE_SECONDS = 2;
const LINGER_BYTES = 128 * 1024 * 1024;
const LINGER_LOOK_SECONDS = 0.1;

/**
 * The system takes more only when a third of its send buffer is free again, and that buffer grows to
 * 4 MiB (Linux, `tcp_wmem`): a reader that reads all the time seems to stand still for that many.
 */
const SEND_BUFFER_PART = 1 / 3;
const MAX_SEND_STEP_BYTES = 1.5 * 1024 * 1024;

export interface Connection {
  readonly socket: Socket;
  /** Takes a request that Node has read the head of. */
  request(req: IncomingMessage, res: ServerResponse): void;
  /** What came cannot be read on: the answers that are due, then this status, then the end. */
  refuse(status: number, reason: string): void;
  /** The answer that is being made or sent. */
  answerInProgress(): ServerResponse | undefined;
  /** Ends the connection when its client does not read what is written. */
  look(nowSeconds: number, limits: ClientLimits): void;
  /**
   * The time of the request that comes in is over. What the system already has of it is read first: a
   * server that was busy for so long has not read it, and its client is not the slow one.
   */
  timedOut(limits: Pick<ClientLimits, "requestSeconds">): void;
}

/** What a client has to keep while it sends, and while it reads answers. */
export interface ClientLimits {
  /** From a request's first byte to its last. */
  readonly requestSeconds: number;
  /** An answer of which nothing is read. */
  readonly writeSeconds: number;
  /** A reader that takes less, where the system has taken much to send, counts as one that reads nothing. */
  readonly slowestBytesPerSecond: number;
}

export function createConnection(
  socket: Socket,
  { app, log, sentAhead }: { app: App; log: Log; sentAhead: SentAhead },
): Connection {
  const internals = socket as Socket & Internals;
  let last: { req: IncomingMessage; res: ServerResponse } | undefined;
  let waiting = 0;
  /** Keeps the sum right, also when the connection ends. */
  function wait(more: number): void {
    waiting += more;
    sentAhead.waiting += more;
  }
  let refusal: { status: number; reason: string } | undefined;
  /** Nothing that still comes is carried out. */
  let isOver = false;
  let isLingering = false;
  let written = { taken: -1, sinceSeconds: 0 };

  /** Until Node's own "drain" listener finds its mark and reads on. */
  function pause(): void {
    Object.assign(socket, { _paused: true });
    socket.pause();
  }

  function begin(req: IncomingMessage, res: ServerResponse): void {
    wait(-1);
    if (refusal !== undefined && last?.req === req && !req.complete) return end();
    if (waiting === 0 && refusal === undefined) socket.emit("drain");
    void app(req, res);
  }

  /** The refusal, when there is one to tell, and then nothing more. */
  function end(): void {
    if (isLingering) return;
    if (!socket.writable) {
      socket.destroy();
      return;
    }
    linger(refusal && answerOf(refusal.status));
  }

  /** RFC 9112 §9.6: closed with bytes unread, the system would tell the client to forget the answer. */
  function linger(lastWords = ""): void {
    isOver = true;
    isLingering = true;
    socket.end(lastWords);
    socket.once("end", () => socket.destroy());
    last?.req.resume();
    socket.emit("drain");
    const from = socket.bytesRead;
    let [read, idleSeconds, seconds] = [from, 0, 0];
    const timer = setInterval(() => {
      idleSeconds = socket.bytesRead === read ? idleSeconds + LINGER_LOOK_SECONDS : 0;
      read = socket.bytesRead;
      seconds += LINGER_LOOK_SECONDS;
      const isEnough = seconds > LINGER_SECONDS || idleSeconds > LINGER_IDLE_SECONDS;
      if (isEnough || read - from > LINGER_BYTES) socket.destroy();
    }, LINGER_LOOK_SECONDS * 1000);
    socket.once("close", () => clearInterval(timer));
  }

  function refuse(status: number, reason: string): void {
    if (isLingering) {
      socket.destroy();
      return;
    }
    if (refusal !== undefined || socket.destroyed) return;
    refusal = { status, reason };
    const isAnswered = !last || last.res.writableFinished || last.res.destroyed;
    // What is wrong with a request that has begun is in that request's line.
    if (isAnswered || last?.req.complete === true) {
      const level = status === 408 ? "debug" : "info";
      log[level]({ status, reason, address: socket.remoteAddress }, "connection refused");
    }
    if (!last || isAnswered) return end();
    if (last.req.complete) {
      pause();
      last.res.once("finish", end);
    } else if (last.res.socket !== null) {
      // A second head would be read as the body of an answer that has begun.
      if (last.res.headersSent) socket.destroy();
      else end();
    }
  }

  socket.once("close", () => wait(-waiting));

  // What has ended is not read on: a piece of 64 KiB holds 2,400 very small requests.
  const { parser } = internals;
  if (parser) {
    const { onIncoming } = parser;
    parser.onIncoming = (req, keepAlive) => (isOver ? NOTHING_MORE : onIncoming(req, keepAlive));
  }

  // Node reads on when what was written is taken.
  socket.on("drain", () => {
    if (waiting > 0 && !isLingering) pause();
  });

  // Node's way to end a connection after its last answer.
  const { destroySoon } = socket;
  socket.destroySoon = () => {
    if (isLingering) return;
    const isRead = last === undefined || (last.req.complete && waiting === 0);
    if (isRead && !isOver && refusal === undefined) destroySoon.call(socket);
    else linger();
  };
  socket.on("end", () => {
    const res = last?.res;
    if (res?.headersSent === false) res.setHeader("Connection", "close");
  });

  return {
    socket,
    answerInProgress() {
      const { _httpMessage: res } = internals;
      return res ?? undefined;
    },
    request(req, res) {
      if (isOver) return;
      last = { req, res };
      if (res.socket !== null) {
        void app(req, res);
        return;
      }
      wait(1);
      const most = sentAhead.waiting > MAX_WAITING_TOGETHER ? FEW_WAITING : MAX_WAITING;
      if (waiting > most) {
        isOver = true;
        const reason = "too_many_sent_ahead";
        log.info({ reason, address: socket.remoteAddress }, "connection ended");
        socket.destroy();
        return;
      }
      pause();
      res.once("socket", () => begin(req, res));
    },
    refuse,
    look(nowSeconds, { writeSeconds, slowestBytesPerSecond }) {
      const { _handle: handle } = internals;
      const { bytesWritten = 0, writeQueueSize = 0 } = handle ?? {};
      const taken = bytesWritten - writeQueueSize;
      const stepBytes = Math.min(taken * SEND_BUFFER_PART, MAX_SEND_STEP_BYTES);
      const seconds = writeSeconds + stepBytes / slowestBytesPerSecond;
      if (writeQueueSize === 0 || taken !== written.taken) {
        written = { taken, sinceSeconds: nowSeconds };
      } else if (nowSeconds - written.sinceSeconds > seconds) {
        log.info({ reason: "answer_not_read", address: socket.remoteAddress }, "connection ended");
        socket.destroy();
      }
    },
    timedOut({ requestSeconds }) {
      const before = last;
      /** The request, once its head has come. */
      let late = before?.req.complete === false ? before : undefined;
      function judge(turnsLeft: number): void {
        if (waiting > 0) {
          // Nothing of it is read until its turn. From there it has its time once more.
          last?.res.once("socket", () => {
            setTimeout(judge, requestSeconds * 1000, TURNS_TO_READ).unref();
          });
          return;
        }
        const read = socket.bytesRead;
        // Two turns, so that one of them has all its reading before it.
        setImmediate(setImmediate, () => {
          if (last !== before) late ??= last;
          if (socket.destroyed || late?.req.complete === true) return;
          if ((socket.bytesRead > read || waiting > 0) && turnsLeft > 0) judge(turnsLeft - 1);
          else refuse(408, "request_timeout");
        });
      }
      judge(TURNS_TO_READ);
    },
  };
}

/** Node's parser or clock gave a connection up. The client does not learn why. */
function answerOf(status: number): string {
  return (
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n` +
    "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n\r\n"
  );
}
