/**
 * The revocation feed as bytes: server-sent events (WHATWG HTML §9.2) for one resource-server. The
 * whole live set first, then `live`, then each change, and heartbeats only while this instance itself
 * reads the database, so silence always means that news may be missing. `live` and heartbeats carry the
 * set's summary, so a reader notices what it missed.
 */
import { Readable } from "node:stream";
import type { Revocation, SetSummary } from "@daykey/common/revocation";
import type { LiveSet } from "./live-set.ts";

const HEARTBEAT_SECONDS = 3;

/** Beyond this the set may lag behind the database, and no heartbeat says otherwise. */
const FRESH_SECONDS = 5;

/** Entries of the set that are written at once. */
const CHUNK_ENTRIES = 100;

/** How much a reader may lag behind before it has to begin anew, in bytes. */
const BACKLOG_BYTES = 4 * 1024 * 1024;

/**
 * @param options.lifeSeconds until the reader's token ends
 * @param options.stopping ends the stream: the server drains, or the reader may read no more
 */
export function createFeedStream({
  liveSet,
  lifeSeconds,
  stopping,
}: {
  liveSet: LiveSet;
  lifeSeconds: number;
  stopping: AbortSignal;
}): Readable {
  // The set is written as fast as it is read and no faster. What is added to it meanwhile comes as
  // news, and perhaps twice. A set that takes its place tells what is new in it.
  let unsent: Iterator<Revocation> | undefined = liveSet.current().entries();
  const stream = new Readable({
    read() {
      if (!unsent) return;
      const chunk: Revocation[] = [];
      for (let next; chunk.length < CHUNK_ENTRIES && !(next = unsent.next()).done;) {
        chunk.push(next.value);
      }
      if (chunk.length > 0) return push(encode(chunk));
      unsent = undefined;
      send("live", summaryToWire(liveSet.current().summary()));
    },
  });
  let hasEnded = false;
  const push = (text: string): void => {
    if (stream.destroyed || hasEnded) return;
    stream.push(text);
    if (stream.readableLength > BACKLOG_BYTES) stream.destroy();
  };
  const send = (event: string, data: object): void =>
    push(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);

  const unsubscribe = liveSet.subscribe((added) => push(encode(added)));
  const heartbeat = setInterval(() => {
    if (unsent || liveSet.ageSeconds() >= FRESH_SECONDS) return;
    send("heartbeat", summaryToWire(liveSet.current().summary()));
  }, HEARTBEAT_SECONDS * 1000);
  const end = (): void => {
    hasEnded = true;
    stream.push(null);
  };
  const lifeTimer = setTimeout(end, lifeSeconds * 1000);
  stopping.addEventListener("abort", end, { once: true });
  stream.once("close", () => {
    unsubscribe();
    clearInterval(heartbeat);
    clearTimeout(lifeTimer);
    stopping.removeEventListener("abort", end);
  });
  return stream;
}

function summaryToWire({ entries, digest, prunedAt }: SetSummary): object {
  return { entries, digest, at: prunedAt };
}

/** Events of the same news for many readers are written once. */
const encoded = new WeakMap<readonly Revocation[], string>();

function encode(entries: readonly Revocation[]): string {
  let text = encoded.get(entries);
  if (text === undefined) {
    text = entries
      .map((entry) => `event: revocation\ndata: ${JSON.stringify(toWire(entry))}\n\n`)
      .join("");
    encoded.set(entries, text);
  }
  return text;
}

function toWire({ kind, subject, epoch, expiresAt }: Revocation): object {
  return { kind, subject, ...(epoch !== undefined && { epoch }), expires_at: expiresAt ?? null };
}
