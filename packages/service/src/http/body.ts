/** Request bodies: read or discarded with a cap on bytes, never to be trusted to end. */
import type { IncomingMessage, ServerResponse } from "node:http";

/** Why a body could not be had: over the cap, or cut short (by the peer, or malformed framing). */
export class BodyError extends Error {
  readonly reason: "too_large" | "cut_short";

  constructor(reason: "too_large" | "cut_short") {
    super(reason);
    this.name = "BodyError";
    this.reason = reason;
  }
}

/** True when the request announces a body (RFC 9112 §6.3). */
export function hasBody({ headers }: IncomingMessage): boolean {
  if (headers["transfer-encoding"] !== undefined) return true;
  const length = headers["content-length"];
  return length !== undefined && Number(length) !== 0;
}

/** True when some of an announced body has not been read, be it here already or not. */
export function isUnread(req: IncomingMessage): boolean {
  return hasBody(req) && !(req.complete && req.readableLength === 0);
}

/** Requests whose body is sent when it is asked for (RFC 9110 §10.1.1). */
const unasked = new WeakMap<IncomingMessage, ServerResponse>();

/** A refusal that comes before anyone reads saves the client from sending it. */
export function awaitContinue(req: IncomingMessage, res: ServerResponse): void {
  unasked.set(req, res);
}

/** A signature is checked over the body before anyone parses it: who reads it second has the same. */
const bodies = new WeakMap<IncomingMessage, Promise<Buffer>>();

/** @throws {BodyError} past `limitBytes`, without waiting for the rest, or when the body is cut short. */
export async function readBody(req: IncomingMessage, limitBytes: number): Promise<Buffer> {
  let reading = bodies.get(req);
  if (!reading) {
    reading = readOnce(req, limitBytes);
    bodies.set(req, reading);
  }
  const body = await reading;
  if (body.length > limitBytes) throw new BodyError("too_large");
  return body;
}

async function readOnce(req: IncomingMessage, limitBytes: number): Promise<Buffer> {
  // Most come with the head, and are here already.
  if (req.complete && !req.destroyed) {
    if (req.readableLength > limitBytes) throw new BodyError("too_large");
    return (req.read() as Buffer | null) ?? Buffer.alloc(0);
  }
  const chunks: Buffer[] = [];
  await consume(req, limitBytes, (chunk) => chunks.push(chunk));
  const [only = Buffer.alloc(0), ...others] = chunks;
  return others.length === 0 ? only : Buffer.concat(chunks);
}

/**
 * Reads a body nobody wanted to its end, so that malformed framing in it is seen before the answer
 * (H1); one that the client has not begun to send is not asked for. @throws {BodyError} like `readBody`.
 */
export async function drainBody(req: IncomingMessage, limitBytes: number): Promise<void> {
  if (unasked.has(req)) return;
  // The caller has gone, but what arrived whole was well-formed.
  if (!isUnread(req) || (req.destroyed && req.complete)) return;
  await consume(req, limitBytes, () => {});
}

function consume(
  req: IncomingMessage,
  limitBytes: number,
  take: (chunk: Buffer) => void,
): Promise<void> {
  if (Number(req.headers["content-length"] ?? 0) > limitBytes) {
    return Promise.reject(new BodyError("too_large"));
  }
  // Nothing more is told of it.
  if (req.destroyed) return Promise.reject(new BodyError("cut_short"));
  unasked.get(req)?.writeContinue();
  unasked.delete(req);
  return new Promise((resolve, reject) => {
    let total = 0;
    const finish = (reason?: BodyError["reason"]) => {
      req.off("data", onData).off("end", onEnd).off("close", onClose);
      if (reason === undefined) return resolve();
      req.pause();
      reject(new BodyError(reason));
    };
    const onData = (chunk: Buffer) => {
      total += chunk.length;
      if (total > limitBytes) finish("too_large");
      else take(chunk);
    };
    const onEnd = () => finish();
    const onClose = () => finish("cut_short");
    req.on("data", onData).on("end", onEnd).on("close", onClose);
    req.resume();
  });
}
