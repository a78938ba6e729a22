/**
 * Asking the auth-server about one token or key, for when nothing nearer can tell. What is active is not
 * asked about again for a few seconds, nor is what is not. However many requests bring one, one question is on
 * its way, and of all questions only so many. Those that a stranger can cause, with something nobody
 * made, have a budget of their own, well below what the auth-server answers one address.
 */
import { createHash } from "node:crypto";
import { type Answer, boundedFetch } from "@daykey/client/bounded-fetch";
import type { Fetch } from "@daykey/client/platform";
import type { Clock } from "@daykey/common/clock";
import { FORM_MEDIA_TYPE, JSON_MEDIA_TYPE } from "@daykey/common/protocol";
import type { Log } from "@daykey/service/observe/log";
import { OWN_MESSAGE } from "@daykey/service/observe/own-message";
import { LRUCache } from "lru-cache";
import type { OwnClient, OwnProof } from "./own-client.ts";

/**
 * What the auth-server says of something, or undefined when it is not active or not for this server.
 * @throws {AuthServerUnavailable}
 */
export type Ask<T> = (subject: string, options?: AskOptions<T>) => Promise<T | undefined>;

export interface AskOptions<T> {
  /** Of what it said before: then it is asked anew. */
  isOutdated?: (said: T) => boolean;
  /** It shows what only the issuer makes, so that a question about it is not at a stranger's expense. */
  isLikely?: boolean;
}

/** The auth-server gave no answer that can be used. */
export class AuthServerUnavailable extends Error {
  readonly [OWN_MESSAGE] = true;
  override readonly name = "AuthServerUnavailable";
}

export interface AskDeps {
  authServerUrl: string;
  ownClient: Pick<OwnClient, "proof">;
  fetch: Fetch;
  clock: Clock;
  /** Seconds of a clock that nobody sets. */
  elapsed: Clock;
  log: Log;
}

const REMEMBERED_SECONDS = 5;
const REMEMBERED = 10_000;
const MAX_IN_FLIGHT = 256;
/** The rest of those on their way is for what was active before. */
const MAX_LIKELY_IN_FLIGHT = 192;
/** About what was never active here, and shows nothing that speaks for it. */
const STRANGERS = { inFlight: 128, perSecond: 200 };
/** Answers about the very subject of a question, which is then none; others are about the asking. */
const REFUSES_SUBJECT = new Set([400, 413, 414, 422, 431]);
const TIMEOUT_SECONDS = 2;
const LOG_EVERY_SECONDS = 5;

export function createAsk<T extends { exp?: number }>({
  authServerUrl,
  ownClient,
  fetch,
  clock,
  elapsed,
  log,
  path,
  parameter,
  read,
}: AskDeps & {
  path: string;
  /** The form's parameter that names what is asked about. */
  parameter: string;
  /** What an active answer says, or undefined when it is not understood. */
  read: (answer: object) => T | undefined;
}): Ask<T> {
  const url = new URL(path, authServerUrl);
  const active = new LRUCache<string, { said: T; until: number }>({ max: REMEMBERED });
  const inactive = new LRUCache<string, number>({ max: REMEMBERED });
  const inFlight = new Map<string, Promise<T | undefined>>();
  let strangersSecond = -Infinity;
  let strangers = 0;
  const never = new AbortController().signal;
  let loggedAt = -Infinity;

  const post = async (subject: string, proof: OwnProof): Promise<Answer> =>
    boundedFetch(
      fetch,
      url,
      {
        method: "POST",
        headers: { accept: JSON_MEDIA_TYPE, "content-type": FORM_MEDIA_TYPE },
        body: new URLSearchParams({ [parameter]: subject, ...proof.form }).toString(),
      },
      { timeoutSeconds: TIMEOUT_SECONDS, signal: never },
    );

  async function ask(subject: string): Promise<T | undefined> {
    const proof = await ownClient.proof();
    let answer = await post(subject, proof);
    const another = answer.status === 401 ? await proof.another() : undefined;
    if (another) answer = await post(subject, another);
    if (REFUSES_SUBJECT.has(answer.status)) {
      tell("introspection_refused", new AuthServerUnavailable(`answered with ${answer.status}`));
      return undefined;
    }
    if (answer.status !== 200) {
      throw new AuthServerUnavailable(`the question was answered with ${answer.status}`);
    }
    return readAnswer(answer.text, read);
  }

  async function askAndRemember(subject: string, digest: string): Promise<T | undefined> {
    const until = elapsed() + REMEMBERED_SECONDS;
    try {
      const said = await ask(subject);
      if (said) active.set(digest, { said, until });
      else {
        active.delete(digest);
        inactive.set(digest, until);
      }
      return said;
    } catch (error) {
      tell("introspection_failed", error);
      throw new AuthServerUnavailable("the auth-server cannot be asked", { cause: error });
    } finally {
      inFlight.delete(digest);
    }
  }

  /** Whatever is wrong, it is one line in some seconds. */
  function tell(event: string, error: unknown): void {
    if (elapsed() - loggedAt < LOG_EVERY_SECONDS) return;
    loggedAt = elapsed();
    log.warn({ event, path, err: error }, "cannot ask the auth-server");
  }

  /** Counts one more question that a stranger may have caused. */
  function hasRoomForStranger(): boolean {
    if (inFlight.size >= STRANGERS.inFlight) return false;
    const second = Math.floor(elapsed());
    if (second !== strangersSecond) {
      strangersSecond = second;
      strangers = 0;
    }
    strangers += 1;
    return strangers <= STRANGERS.perSecond;
  }

  return async (subject, { isOutdated = () => false, isLikely = false } = {}) => {
    const digest = createHash("sha256").update(subject).digest("base64");
    const known = active.get(digest);
    if (known && elapsed() < known.until && clock() < (known.said.exp ?? Infinity)) {
      if (!isOutdated(known.said)) return known.said;
    }
    if (elapsed() < (inactive.get(digest) ?? -Infinity)) return undefined;
    const asking = inFlight.get(digest);
    if (asking) return asking;
    const max = known ? MAX_IN_FLIGHT : MAX_LIKELY_IN_FLIGHT;
    const hasRoom = known || isLikely ? inFlight.size < max : hasRoomForStranger();
    if (!hasRoom) throw new AuthServerUnavailable("too many questions are on their way");
    const question = askAndRemember(subject, digest);
    inFlight.set(digest, question);
    return question;
  };
}

/** @throws {AuthServerUnavailable} for what is no answer of RFC 7662 §2.2 */
function readAnswer<T>(text: string, read: (answer: object) => T | undefined): T | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    // Not JSON: as any other text that is no answer.
  }
  const object = typeof answer === "object" && answer !== null ? answer : {};
  const isActive = "active" in object ? object.active : undefined;
  if (isActive === false) return undefined;
  const said = isActive === true ? read(object) : undefined;
  if (!said) throw new AuthServerUnavailable("the answer is not understood");
  return said;
}
