/**
 * Asking the auth-server about one token (RFC 7662), for when nothing nearer can tell. A token that is
 * active is not asked about again for a few seconds; any other answer is not remembered. However many
 * requests bring one token, one question is on its way, and of all questions only so many.
 */
import { createHash } from "node:crypto";
import { boundedFetch } from "@daykey/client/bounded-fetch";
import { type AccessTokenClaims, readAccessTokenClaims } from "@daykey/common/access-token";
import type { Clock } from "@daykey/common/clock";
import { FORM_MEDIA_TYPE, JSON_MEDIA_TYPE, PATHS } from "@daykey/common/protocol";
import type { Log } from "@daykey/service/log";
import { OWN_MESSAGE } from "@daykey/service/own-message";
import { LRUCache } from "lru-cache";
import type { OwnClient } from "./own-client.ts";

/**
 * What the auth-server says of a token: its claims, or undefined when it is not active or not for this
 * server. Not checked: the claims' audience and scope.
 * @throws {IntrospectionUnavailable}
 */
export type Introspect = (token: string) => Promise<AccessTokenClaims | undefined>;

/** The auth-server gave no answer that can be used. */
export class IntrospectionUnavailable extends Error {
  readonly [OWN_MESSAGE] = true;
  override readonly name = "IntrospectionUnavailable";
}

const REMEMBERED_SECONDS = 5;
const REMEMBERED_TOKENS = 10_000;
const MAX_IN_FLIGHT = 256;
const TIMEOUT_SECONDS = 2;
const LOG_EVERY_SECONDS = 5;

export function createIntrospector({
  authServerUrl,
  ownClient,
  clock,
  elapsed,
  log,
}: {
  authServerUrl: string;
  ownClient: Pick<OwnClient, "proof">;
  clock: Clock;
  /** Seconds of a clock that nobody sets. */
  elapsed: Clock;
  log: Log;
}): Introspect {
  const url = new URL(PATHS.introspect, authServerUrl);
  const active = new LRUCache<string, { claims: AccessTokenClaims; until: number }>({
    max: REMEMBERED_TOKENS,
  });
  const inFlight = new Map<string, Promise<AccessTokenClaims | undefined>>();
  const never = new AbortController().signal;
  let loggedAt = -Infinity;

  async function ask(token: string): Promise<AccessTokenClaims | undefined> {
    const body = new URLSearchParams({ token, ...(await ownClient.proof()) }).toString();
    const answer = await boundedFetch(
      fetch,
      url,
      {
        method: "POST",
        headers: { accept: JSON_MEDIA_TYPE, "content-type": FORM_MEDIA_TYPE },
        body,
      },
      { timeoutSeconds: TIMEOUT_SECONDS, signal: never },
    );
    if (answer.status !== 200) {
      throw new IntrospectionUnavailable(`introspection was answered with ${answer.status}`);
    }
    return readAnswer(answer.text);
  }

  async function askAndRemember(
    token: string,
    digest: string,
  ): Promise<AccessTokenClaims | undefined> {
    const askedAt = elapsed();
    try {
      const claims = await ask(token);
      if (claims) active.set(digest, { claims, until: askedAt + REMEMBERED_SECONDS });
      return claims;
    } catch (error) {
      if (elapsed() - loggedAt >= LOG_EVERY_SECONDS) {
        loggedAt = elapsed();
        log.warn({ event: "introspection_failed", err: error }, "cannot ask about a token");
      }
      throw new IntrospectionUnavailable("the auth-server cannot be asked", { cause: error });
    } finally {
      inFlight.delete(digest);
    }
  }

  return async (token) => {
    const digest = createHash("sha256").update(token).digest("base64");
    const known = active.get(digest);
    if (known && elapsed() < known.until && clock() < known.claims.exp) return known.claims;
    active.delete(digest);
    const asking = inFlight.get(digest);
    if (asking) return asking;
    if (inFlight.size >= MAX_IN_FLIGHT) {
      throw new IntrospectionUnavailable("too many tokens are being asked about");
    }
    const question = askAndRemember(token, digest);
    inFlight.set(digest, question);
    return question;
  };
}

/** @throws {IntrospectionUnavailable} for what is no answer of RFC 7662 §2.2 about an access token */
function readAnswer(text: string): AccessTokenClaims | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    // Not JSON: as any other text that is no answer.
  }
  const isActive =
    typeof answer === "object" && answer !== null && "active" in answer ? answer.active : undefined;
  if (isActive === false) return undefined;
  const claims = isActive === true ? readAccessTokenClaims(answer) : undefined;
  if (!claims) throw new IntrospectionUnavailable("the introspection answer is not understood");
  return claims;
}
