/**
 * Asking the auth-server about one token or key, for when nothing nearer can tell. What is active is not
 * asked about again for a few seconds. However many requests bring one, one question is on its way, and
 * of all questions only so many.
 */
import { createHash } from "node:crypto";
import { boundedFetch } from "@daykey/client/bounded-fetch";
import type { Fetch } from "@daykey/client/platform";
import type { Clock } from "@daykey/common/clock";
import { FORM_MEDIA_TYPE, JSON_MEDIA_TYPE } from "@daykey/common/protocol";
import type { Log } from "@daykey/service/observe/log";
import { OWN_MESSAGE } from "@daykey/service/observe/own-message";
import { LRUCache } from "lru-cache";
import type { OwnClient } from "./own-client.ts";

/**
 * What the auth-server says of something, or undefined when it is not active or not for this server.
 * @param isOutdated of what it said before: then it is asked anew
 * @throws {AuthServerUnavailable}
 */
export type Ask<T> = (subject: string, isOutdated?: (said: T) => boolean) => Promise<T | undefined>;

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
  remembersInactive = false,
}: AskDeps & {
  path: string;
  /** The form's parameter that names what is asked about. */
  parameter: string;
  /** What an active answer says, or undefined when it is not understood. */
  read: (answer: object) => T | undefined;
  /**
   * Any stranger can make up one more that is not active. With this each is asked about once in those
   * seconds, and all of them together leave room for those that were active before.
   */
  remembersInactive?: boolean;
}): Ask<T> {
  const url = new URL(path, authServerUrl);
  const active = new LRUCache<string, { said: T; until: number }>({ max: REMEMBERED });
  const inactive = new LRUCache<string, number>({ max: REMEMBERED });
  const inFlight = new Map<string, Promise<T | undefined>>();
  const maxStrangers = remembersInactive ? MAX_IN_FLIGHT / 2 : MAX_IN_FLIGHT;
  const never = new AbortController().signal;
  let loggedAt = -Infinity;

  async function ask(subject: string): Promise<T | undefined> {
    const form = { [parameter]: subject, ...(await ownClient.proof()) };
    const answer = await boundedFetch(
      fetch,
      url,
      {
        method: "POST",
        headers: { accept: JSON_MEDIA_TYPE, "content-type": FORM_MEDIA_TYPE },
        body: new URLSearchParams(form).toString(),
      },
      { timeoutSeconds: TIMEOUT_SECONDS, signal: never },
    );
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
      else active.delete(digest);
      if (!said && remembersInactive) inactive.set(digest, until);
      return said;
    } catch (error) {
      if (elapsed() - loggedAt >= LOG_EVERY_SECONDS) {
        loggedAt = elapsed();
        log.warn({ event: "introspection_failed", path, err: error }, "cannot ask the auth-server");
      }
      throw new AuthServerUnavailable("the auth-server cannot be asked", { cause: error });
    } finally {
      inFlight.delete(digest);
    }
  }

  return async (subject, isOutdated = () => false) => {
    const digest = createHash("sha256").update(subject).digest("base64");
    const known = active.get(digest);
    if (known && elapsed() < known.until && clock() < (known.said.exp ?? Infinity)) {
      if (!isOutdated(known.said)) return known.said;
    }
    if (elapsed() < (inactive.get(digest) ?? -Infinity)) return undefined;
    const asking = inFlight.get(digest);
    if (asking) return asking;
    if (inFlight.size >= (known ? MAX_IN_FLIGHT : maxStrangers)) {
      throw new AuthServerUnavailable("too many questions are on their way");
    }
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
