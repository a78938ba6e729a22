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

/** News a reader may lag behind, in entries; more than the whole set holds is never worth waiting for. */
const BACKLOG_ENTRIES = 30_000;

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
  // All is written as fast as it is read and no faster: the set, then what was added meanwhile, perhaps
  // twice. A set that takes its place tells what is new in it.
  let unsent: Iterator<Revocation> | undefined = liveSet.current().entries();
  const news: (readonly Revocation[])[] = [];
  let newsEntries = 0;
  let isLive = false;
  let isWanted = false;
  const stream = new Readable({
    read() {
      isWanted = true;
      give();
    },
  });
  let hasEnded = false;
  const push = (text: string): void => {
    if (!stream.destroyed && !hasEnded) stream.push(text);
  };

  function nextText(): string | undefined {
    const chunk: Revocation[] = [];
    for (let next; unsent && chunk.length < CHUNK_ENTRIES && !(next = unsent.next()).done;) {
      chunk.push(next.value);
    }
    if (chunk.length > 0) return encode(chunk);
    unsent = undefined;
    const added = news.shift();
    if (added) {
      newsEntries -= added.length;
      return encode(added);
    }
    if (isLive) return undefined;
    isLive = true;
    return eventText("live", summaryToWire(liveSet.current().summary()));
  }

  function give(): void {
    if (!isWanted) return;
    const text = nextText();
    if (text === undefined) return;
    isWanted = false;
    push(text);
  }

  const unsubscribe = liveSet.subscribe((added) => {
    news.push(added);
    newsEntries += added.length;
    if (newsEntries > Math.max(BACKLOG_ENTRIES, liveSet.current().size)) stream.destroy();
    else give();
  });
  const heartbeat = setInterval(() => {
    // A summary counts what the reader has been told, so nothing may wait before it.
    if (!isLive || news.length > 0 || liveSet.ageSeconds() >= FRESH_SECONDS) return;
    // A reader that takes nothing hears nothing.
    if (isWanted) push(eventText("heartbeat", summaryToWire(liveSet.current().summary())));
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

function eventText(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
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
