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
import { type DpopKey, generateDpopKey } from "./dpop.ts";
import { DaykeyError } from "./errors.ts";
import type { Platform } from "./platform.ts";
import { MAX_CORRECTION_SECONDS, type ServerClock } from "./server-clock.ts";
import { readTokenAnswer, type TokenSet } from "./token-answer.ts";

/** What access tokens are bound to: nothing, a key of this process, or the key of the day. */
export type DpopWish = boolean | "day-key";

/** The parameters of a request, without those of the client's authentication. */
export type GrantForm = { readonly grant_type: GrantType } & Readonly<Record<string, string>>;

/** A token set, and the server's time when it was asked for: so it ends no later than it says. */
export interface TimedTokenSet extends TokenSet {
  askedAt: number;
  /** What the access token is bound to; undefined for a bearer token. */
  dpopKey: DpopKey | undefined;
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
  dpop = false,
}: {
  issuer: string;
  /** Asked for before each request. */
  url: (signal: AbortSignal) => Promise<URL>;
  credential: ClientCredential;
  serverClock: ServerClock;
  platform: Platform;
  timeoutSeconds: number;
  dpop?: DpopWish | undefined;
}): TokenEndpoint {
  /** One for the life of the source, made when it is first needed. */
  let ownKey: Promise<DpopKey> | undefined;
  /** The server's newest (RFC 9449 §8.2). */
  let nonce: string | undefined;

  async function post(
    form: GrantForm,
    proof: Proof,
    key: DpopKey | undefined,
    signal: AbortSignal,
  ): Promise<Answer> {
    const target = await url(signal);
    const now = serverClock.now();
    const dpopProof = await key?.prove({ method: "POST", url: target, now, nonce });
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
          ...(dpopProof !== undefined && { dpop: dpopProof }),
        },
        body: new URLSearchParams({ ...form, ...proof.form }).toString(),
      },
      { timeoutSeconds, signal },
    );
    serverClock.learn(answer.headers.get("date"), sentAt, platform.clock());
    nonce = answer.headers.get("dpop-nonce") ?? nonce;
    return answer;
  }

  async function requestOnce(form: GrantForm, signal: AbortSignal): Promise<TimedTokenSet> {
    const isForDayKey = dpop === "day-key";
    const proof = await credential.prove({ issuer, now: serverClock.now(), isForDayKey });
    if (isForDayKey && !proof.dpopKey) throw noDayKey();
    if (dpop === true) ownKey ??= generateDpopKey();
    const signer = await ownKey;
    const sentAt = platform.clock();
    const answer = await post(form, proof, signer, signal);
    const { refresh_token: refreshToken, subject_token: subjectToken } = form;
    const sent = [
      refreshToken,
      subjectToken,
      proof.authorization,
      ...Object.values(proof.form ?? {}),
    ];
    const secrets = sent.filter((text) => text !== undefined && text !== credential.clientId);
    const tokens = readTokenAnswer(answer, serverClock.now(), {
      sent: secrets as string[],
      type: dpop === false ? "Bearer" : "DPoP",
    });
    const dpopKey = signer ?? proof.dpopKey;
    return { ...tokens, dpopKey, askedAt: serverClock.now() - (platform.clock() - sentAt) };
  }

  /** A nonce that is missing or too old is refused once (RFC 9449 §8). */
  async function requestWithNonce(form: GrantForm, signal: AbortSignal): Promise<TimedTokenSet> {
    const sent = nonce;
    try {
      return await requestOnce(form, signal);
    } catch (error) {
      const isAsked = error instanceof DaykeyError && error.oauthError === "use_dpop_nonce";
      if (!isAsked || nonce === sent) throw error;
      return requestOnce(form, signal);
    }
  }

  /** Calls whose proof was dated anew already. */
  const corrected = new WeakSet<AbortSignal>();

  return {
    async request(form, signal) {
      const believed = serverClock.now() - platform.clock();
      try {
        return await requestWithNonce(form, signal);
      } catch (error) {
        if (!credential.isDated || !isInvalidClient(error)) throw error;
        const told = serversTimeIn(error.description);
        if (told !== undefined) serverClock.set(told);
        const refused = serverClock.refused();
        if (refused !== undefined) throw clockFault(refused, error);
        const learned = serverClock.now() - platform.clock();
        if (Math.abs(learned - believed) < SUSPICIOUS_SECONDS || corrected.has(signal)) throw error;
        corrected.add(signal);
        return requestWithNonce(form, signal);
      }
    },
  };
}

function noDayKey(): DaykeyError {
  return new DaykeyError("credential", "Only the one-time form yields the key of the day");
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
