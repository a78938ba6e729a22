/**
 * One connection to the auth-server's revocation feed (docs/protocol.md §3) as a sequence of checked
 * events. What does not follow the protocol ends it: an entry that is not understood might be the one
 * that matters, and silence has a policy.
 */
import { PATHS } from "@daykey/common/protocol";
import { type Revocation, REVOCATION_KINDS, type SetSummary } from "@daykey/common/revocation";
import { OWN_MESSAGE } from "@daykey/common/own-message";
import { createEventStreamParser, type ServerSentEvent } from "./sse.ts";

export type FeedEvent =
  | { kind: "revocation"; revocation: Revocation }
  /** The whole live set has been told. */
  | { kind: "live"; summary: SetSummary | undefined }
  /** The auth-server reads its database, and there is nothing new. */
  | { kind: "heartbeat"; summary: SetSummary | undefined };

/** The feed's answer, or something in it, is not what the protocol says. */
export class FeedError extends Error {
  readonly [OWN_MESSAGE] = true;
  override readonly name = "FeedError";
}

const EVENT_STREAM = "text/event-stream";
const MAX_EVENT_LENGTH = 4096;
const MAX_SUBJECT_LENGTH = 256;

/**
 * Yields events until the server ends the stream.
 * @param options.authServerUrl its origin
 * @param options.token an access token for the issuer with the scope `revocations:read`
 * @throws {FeedError} {EventStreamError} or what `fetch` throws, also when the signal is aborted
 */
export async function* readFeedEvents({
  authServerUrl,
  token,
  signal,
}: {
  authServerUrl: string;
  token: string;
  signal: AbortSignal;
}): AsyncGenerator<FeedEvent> {
  const response = await fetch(`${authServerUrl}${PATHS.revocations}`, {
    // The token must not go where an answer sends it.
    redirect: "error",
    headers: {
      accept: EVENT_STREAM,
      "accept-encoding": "identity",
      authorization: `Bearer ${token}`,
    },
    signal,
  });
  const mediaType = response.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (response.status !== 200 || mediaType !== EVENT_STREAM) {
    await response.body?.cancel();
    throw new FeedError(
      response.status === 200
        ? "the feed's answer is no event stream"
        : `the feed was answered with ${response.status}`,
    );
  }
  const parse = createEventStreamParser({ maxEventLength: MAX_EVENT_LENGTH });
  const body: AsyncIterable<Uint8Array> | undefined = response.body ?? undefined;
  for await (const chunk of body ?? []) {
    for (const event of parse(chunk)) {
      const known = toFeedEvent(event);
      if (known) yield known;
    }
  }
}

/** Undefined for an event of another name: a later protocol may have more. */
function toFeedEvent({ name, data }: ServerSentEvent): FeedEvent | undefined {
  if (name === "live" || name === "heartbeat") return { kind: name, summary: readSummary(data) };
  if (name !== "revocation") return undefined;
  const revocation = readRevocation(data);
  if (!revocation) throw new FeedError("the feed told a revocation that is not understood");
  return { kind: "revocation", revocation };
}

/** Undefined from an auth-server of before summaries. */
function readSummary(data: string): SetSummary | undefined {
  const { entries, digest, at } = readObject(data);
  if (entries === undefined && digest === undefined) return undefined;
  if (!isWhole(entries) || !isWhole(digest) || typeof at !== "number") {
    throw new FeedError("the feed's summary of the set is not understood");
  }
  return { entries, digest, prunedAt: at };
}

function readRevocation(data: string): Revocation | undefined {
  const members = readObject(data);
  const kind = REVOCATION_KINDS.find((known) => known === members["kind"]);
  const { subject, epoch, expires_at: expiresAt } = members;
  if (!kind || typeof subject !== "string") return undefined;
  if (subject === "" || subject.length > MAX_SUBJECT_LENGTH) return undefined;
  if (kind === "client" || kind === "issuer" ? !isWhole(epoch) : epoch !== undefined)
    return undefined;
  if (expiresAt !== null && typeof expiresAt !== "number") return undefined;
  return {
    kind,
    subject,
    epoch: epoch as number | undefined,
    expiresAt: expiresAt ?? undefined,
  };
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Empty for what is no JSON object. */
function readObject(text: string): Record<string, unknown> {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
