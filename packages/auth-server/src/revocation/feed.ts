/**
 * The revocation feed as bytes: server-sent events (WHATWG HTML §9.2) for one resource-server. The
 * whole live set first, then `live`, then each change, and heartbeats only while this instance itself
 * reads the database, so silence always means that news may be missing.
 */
import { Readable } from "node:stream";
import type { Revocation } from "@daykey/common/revocation";
import type { LiveSet } from "./live-set.ts";

const HEARTBEAT_SECONDS = 3;

/** Beyond this the set may lag behind the database, and no heartbeat says otherwise. */
const FRESH_SECONDS = 5;

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
  const stream = new Readable({ read() {} });
  let limit = Infinity;
  let hasEnded = false;
  const send = (event: string, data: unknown): void => {
    if (stream.destroyed || hasEnded) return;
    stream.push(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    if (stream.readableLength > limit) stream.destroy();
  };

  // Subscribed before the set is sent: what comes in between is sent twice rather than never.
  const unsubscribe = liveSet.subscribe((added) => {
    for (const entry of added) send("revocation", toWire(entry));
  });
  for (const entry of liveSet.entries()) send("revocation", toWire(entry));
  send("live", {});
  // The set itself may be large and takes its time; from here on the reader has to keep up.
  limit = stream.readableLength + BACKLOG_BYTES;

  const heartbeat = setInterval(() => {
    if (liveSet.ageSeconds() < FRESH_SECONDS) send("heartbeat", {});
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

function toWire({ kind, subject, epoch, expiresAt }: Revocation): object {
  return { kind, subject, ...(epoch !== undefined && { epoch }), expires_at: expiresAt ?? null };
}
