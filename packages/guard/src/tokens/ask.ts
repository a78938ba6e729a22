/**
 * Asks the auth-server about one token or key when nothing nearer has the answer. An answer, active or
 * not, is kept for a few seconds. All requests that bring the same one share one question, and the number
 * of questions at once is limited. Questions that a stranger can cause have room of their own, in which
 * addresses take turns (`strangers.ts`).
 */
import { createHash } from "node:crypto";
import { onceIn } from "@daykey/common/once-in";
import { type Answer, boundedFetch } from "@daykey/client/internal/bounded-fetch";
import type { Fetch } from "@daykey/client/internal/platform";
import type { Clock } from "@daykey/common/clock";
import { FORM_MEDIA_TYPE, JSON_MEDIA_TYPE } from "@daykey/common/media-types";
import { OWN_MESSAGE } from "@daykey/common/own-message";
import { LRUCache } from "lru-cache";
import type { OwnClient, OwnProof } from "./own-client.ts";
import type { Leave, Strangers } from "./strangers.ts";
import type { GuardLog } from "../log.ts";

/**
 * What the auth-server says of something, or undefined when it is not active or not for this server.
 * @throws {AuthServerUnavailable}
 */
export type Ask<T> = (subject: string, options: AskOptions<T>) => Promise<T | undefined>;

export interface AskOptions<T> {
  /** Who brought the subject: its caller's address, or nobody who matters when it has proved itself. */
  from: Caller;
  /** Whether the earlier answer no longer counts: then it is asked anew. */
  isOutdated?: (said: T) => boolean;
}

export type Caller =
  /** As limits count it (`addressKey`): the subject may be anything. */
  | { address: string }
  /** Only the issuer can have made the subject; a signature shows it. A text that looks right does not. */
  | { isProven: true };

/** The auth-server gave no answer that can be used. */
export class AuthServerUnavailable extends Error {
  readonly [OWN_MESSAGE] = true;
  override readonly name = "AuthServerUnavailable";
}

export interface AskDeps {
  authServerUrl: string;
  ownClient: Pick<OwnClient, "proof">;
  fetch: Fetch;
  /** One for all that is asked about. */
  strangers: Strangers;
  clock: Clock;
  /** Seconds of a clock that nobody sets. */
  elapsed: Clock;
  log: GuardLog;
}

const REMEMBERED_SECONDS = 5;
const REMEMBERED = 10_000;
/** On their way about what has proved itself, or was active before. */
const MAX_PROVEN = 256;
/** Answers that may be about the very subject of a question: too long, or a text that nobody takes. */
const MAY_REFUSE_SUBJECT = new Set([400, 413, 414, 422, 431]);
/** Neither token nor key, and short: who refuses a question about this refuses the question itself. */
const NOTHING = "0";
const TIMEOUT_SECONDS = 2;
const LOG_EVERY_SECONDS = 5;

export function createAsk<T extends { exp?: number }>({
  authServerUrl,
  ownClient,
  fetch,
  strangers,
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
  let proven = 0;
  const never = new AbortController().signal;
  const isLogDue = onceIn(LOG_EVERY_SECONDS, elapsed);

  async function post(subject: string): Promise<Answer> {
    const postWith = (proof: OwnProof): Promise<Answer> =>
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
    const proof = await ownClient.proof();
    const answer = await postWith(proof);
    const another = answer.status === 401 ? await proof.another() : undefined;
    return another ? postWith(another) : answer;
  }

  async function ask(subject: string): Promise<T | undefined> {
    const { status, text } = await post(subject);
    if (status === 200) return readAnswer(text, read);
    const refusal = new AuthServerUnavailable(`the question was answered with ${status}`);
    // The fault is the subject's own only if the same question about another one is answered.
    if (!MAY_REFUSE_SUBJECT.has(status) || (await post(NOTHING)).status !== 200) throw refusal;
    tell("introspection_refused", refusal);
    return undefined;
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
    }
  }

  /** Whatever is wrong, it is one line in some seconds. */
  function tell(event: string, error: unknown): void {
    if (!isLogDue()) return;
    log.warn({ event, path, err: error }, "cannot ask the auth-server");
  }

  /** @returns what to call with the outcome, or undefined when there is no room */
  async function enter(from: Caller): Promise<Leave | undefined> {
    if ("address" in from) return strangers.enter(from.address);
    if (proven >= MAX_PROVEN) return undefined;
    proven += 1;
    return () => void (proven -= 1);
  }

  async function askInTurn(subject: string, digest: string, from: Caller): Promise<T | undefined> {
    let said: T | undefined;
    let leave: Leave | undefined;
    try {
      leave = await enter(from);
      if (!leave) throw new AuthServerUnavailable("too many questions are on their way");
      said = await askAndRemember(subject, digest);
      return said;
    } finally {
      inFlight.delete(digest);
      leave?.(said !== undefined);
    }
  }

  return async (subject, { from, isOutdated = () => false }) => {
    const digest = createHash("sha256").update(subject).digest("base64");
    const known = active.get(digest);
    if (known && elapsed() < known.until && clock() < (known.said.exp ?? Infinity)) {
      if (!isOutdated(known.said)) return known.said;
    }
    if (elapsed() < (inactive.get(digest) ?? -Infinity)) return undefined;
    const asking = inFlight.get(digest);
    if (asking) return asking;
    // What was active before has proved itself, whoever brings it.
    const question = askInTurn(subject, digest, known ? { isProven: true } : from);
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
