/**
 * One authenticated request to the token endpoint. Owns what every grant type shares: the proof, made
 * anew for each request; what an answer tells of the server's time; and the one repetition that a wrong
 * clock deserves, for all requests of one signal together.
 */
import { parseInstant } from "@daykey/common/clock";
import { FORM_MEDIA_TYPE, JSON_MEDIA_TYPE } from "@daykey/common/media-types";
import type { GrantType } from "@daykey/common/protocol";
import { type Answer, boundedFetch } from "./bounded-fetch.ts";
import type { ClientCredential, Proof } from "./credential.ts";
import { DaykeyError } from "./errors.ts";
import type { Platform } from "./platform.ts";
import { MAX_CORRECTION_SECONDS, type ServerClock } from "./server-clock.ts";
import { readTokenAnswer, type TokenSet } from "./token-answer.ts";

/** The parameters of a request, without those of the client's authentication. */
export type GrantForm = { readonly grant_type: GrantType } & Readonly<Record<string, string>>;

/** A token set, and the server's time when it was asked for: so it ends no later than it says. */
export interface TimedTokenSet extends TokenSet {
  askedAt: number;
}

export interface TokenEndpoint {
  /** @throws {DaykeyError}, or the signal's reason when that was aborted */
  request(form: GrantForm, signal: AbortSignal): Promise<TimedTokenSet>;
}

/** A difference between clocks that may have spoiled a proof; less cannot. */
const SUSPICIOUS_SECONDS = 60;
const SERVERS_TIME = /the server's time is (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)/;

export function createTokenEndpoint({
  issuer,
  url,
  credential,
  serverClock,
  platform,
  timeoutSeconds,
}: {
  issuer: string;
  /** Asked for before each request. */
  url: (signal: AbortSignal) => Promise<URL>;
  credential: ClientCredential;
  serverClock: ServerClock;
  platform: Platform;
  timeoutSeconds: number;
}): TokenEndpoint {
  async function post(form: GrantForm, proof: Proof, signal: AbortSignal): Promise<Answer> {
    const target = await url(signal);
    const sentAt = platform.clock();
    const answer = await boundedFetch(
      platform.fetch,
      target,
      {
        method: "POST",
        headers: {
          accept: JSON_MEDIA_TYPE,
          "content-type": FORM_MEDIA_TYPE,
          ...(proof.authorization !== undefined && { authorization: proof.authorization }),
        },
        body: new URLSearchParams({ ...form, ...proof.form }).toString(),
      },
      { timeoutSeconds, signal },
    );
    serverClock.learn(answer.headers.get("date"), sentAt, platform.clock());
    return answer;
  }

  async function requestOnce(form: GrantForm, signal: AbortSignal): Promise<TimedTokenSet> {
    const proof = await credential.prove({ issuer, now: serverClock.now() });
    const sentAt = platform.clock();
    const answer = await post(form, proof, signal);
    const sent = [form["refresh_token"], proof.authorization, ...Object.values(proof.form ?? {})];
    const secrets = sent.filter((text) => text !== undefined && text !== credential.clientId);
    const tokens = readTokenAnswer(answer, serverClock.now(), secrets as string[]);
    return { ...tokens, askedAt: serverClock.now() - (platform.clock() - sentAt) };
  }

  /** Calls whose proof was dated anew already. */
  const corrected = new WeakSet<AbortSignal>();

  return {
    async request(form, signal) {
      const believed = serverClock.now() - platform.clock();
      try {
        return await requestOnce(form, signal);
      } catch (error) {
        if (!credential.isDated || !isInvalidClient(error)) throw error;
        const told = serversTimeIn(error.description);
        if (told !== undefined) serverClock.set(told);
        const refused = serverClock.refused();
        if (refused !== undefined) throw clockFault(refused, error);
        const learned = serverClock.now() - platform.clock();
        if (Math.abs(learned - believed) < SUSPICIOUS_SECONDS || corrected.has(signal)) throw error;
        corrected.add(signal);
        return requestOnce(form, signal);
      }
    },
  };
}

/** The refusal, with what is to be mended. */
function clockFault(seconds: number, refusal: DaykeyError): DaykeyError {
  const side = seconds > 0 ? "behind" : "ahead of";
  const { status, oauthError, description } = refusal;
  return new DaykeyError(
    "clock",
    `This machine's clock is ${Math.round(Math.abs(seconds))} s ${side} the auth-server's; more than ${MAX_CORRECTION_SECONDS} s is not corrected: set the clock`,
    { status, oauthError, description, cause: refusal },
  );
}

function isInvalidClient(error: unknown): error is DaykeyError {
  return error instanceof DaykeyError && error.oauthError === "invalid_client";
}

/** A client whose proof holds and is dated too far from now is told the server's time (docs/protocol.md §1.4). */
function serversTimeIn(description = ""): number | undefined {
  const instant = SERVERS_TIME.exec(description)?.[1];
  return instant === undefined ? undefined : parseInstant(instant);
}
