/** A body as a web stream, as Node's stream, or as anything else that gives its pieces. */
type Pieces = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * All bytes of a body. Undefined as soon as they are more than `limitBytes`: the rest is let go, and not
 * waited for.
 *
 * @param signal ends the reading after the piece under way, for a source that does not know the signal
 * @throws what the source throws, and the signal's reason
 */
export async function readWithin(
  body: Pieces | null,
  limitBytes: number,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (!body) return new Uint8Array();
  const { next, leave } = readerOf(body);
  const pieces: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await next();
    signal?.throwIfAborted();
    if (done === true || value === undefined) break;
    length += value.length;
    if (length > limitBytes) {
      leave();
      return undefined;
    }
    pieces.push(value);
  }
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return bytes;
}

/** Not every browser iterates over a web stream. */
function readerOf(body: Pieces): {
  next: () => Promise<{ done?: boolean | undefined; value?: Uint8Array | undefined }>;
  leave: () => void;
} {
  if ("getReader" in body) {
    const reader = body.getReader();
    return { next: () => reader.read(), leave: () => void reader.cancel().catch(() => {}) };
  }
  const pieces = body[Symbol.asyncIterator]();
  return { next: () => pieces.next(), leave: () => void pieces.return?.().catch(() => {}) };
}
