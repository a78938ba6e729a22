/**
 * Client authentication (RFC 6749 §2.3, docs/protocol.md §1). Owns the one answer: an unknown client,
 * a wrong, expired or revoked secret, a disabled client and an unregistered method all look the same
 * from outside and cost the same; only the log tells them apart.
 */
import { type Clock, formatInstant } from "@daykey/common/clock";
import { OAuthError } from "@daykey/common/oauth-error";
import { type AuthMethod, CLIENT_ID } from "@daykey/common/protocol";
import type { Attempts } from "./attempts.ts";
import { checkCredential, type Proof } from "./authenticate-secret-hash.ts";
import type { Client, VerifiedClient } from "./client.ts";
import type { ClientCache } from "./client-cache.ts";
import { type Credential, readCredential } from "./credential.ts";
import type { ReplayStore } from "./replay-store.ts";

export interface AuthenticationRequest {
  form: ReadonlyMap<string, string>;
  authorization: string | undefined;
  /** The client's address as a limiter key. */
  addressKey: string;
  /** Told what a log line may say, as soon as it is known. */
  note(fields: { client?: string; kid?: string; authMethod?: string }): void;
}

export interface ClientAuthenticator {
  /** @throws {OAuthError} invalid_request, invalid_client, slow_down or temporarily_unavailable */
  authenticate(request: AuthenticationRequest): Promise<VerifiedClient>;
}

/** No client has this id, as it is not a valid one: what an invalid id is looked up and counted as. */
const NOBODY = "-";

export function createClientAuthenticator({
  cache,
  replays,
  attempts,
  issuer,
  clock,
}: {
  cache: ClientCache;
  replays: ReplayStore;
  attempts: Attempts;
  issuer: string;
  clock: Clock;
}): ClientAuthenticator {
  async function verify(
    credential: Credential,
    note: AuthenticationRequest["note"],
  ): Promise<VerifiedClient> {
    const { clientId } = credential;
    const entry = await cache.find(clientId);
    const now = clock();
    const proof = checkCredential(credential, entry, { issuer, now });
    const { client } = entry;
    // Only an id that exists is logged: what else stands there may be a secret in the wrong field.
    if (client) note({ client: client.clientId });
    if (proof) note({ kid: proof.slot.kid });

    const fault = faultOf(client, credential, proof, now);
    if (fault !== undefined || !client || !proof) throw failure(fault ?? "unknown_client");
    if (proof.once) {
      const { nonce, whenAt, isFresh } = proof.once;
      if (!isFresh) throw clockSkew(now);
      const isFirst = await replays.use({ clientId, kid: proof.slot.kid, nonce, whenAt });
      if (!isFirst) throw failure("replayed");
    }
    return { ...client, credential: proof.slot.kid } as VerifiedClient;
  }

  return {
    async authenticate({ form, authorization, addressKey, note }) {
      try {
        const credential = withPossibleId(readCredential(form, authorization));
        note({ authMethod: credential.via });
        await attempts.check(credential.clientId, addressKey);
        try {
          return await verify(credential, note);
        } catch (error) {
          if (isBadCredential(error)) await attempts.failed(credential.clientId, addressKey);
          throw error;
        }
      } catch (error) {
        throw authorization === undefined ? error : withChallenge(error, issuer);
      }
    },
  };
}

/** Ids that no client can have are one: 8 KiB of anything fills neither the cache nor the limiter. */
function withPossibleId(credential: Credential): Credential {
  return CLIENT_ID.test(credential.clientId) ? credential : { ...credential, clientId: NOBODY };
}

/** The reason, for the log alone, why this proof does not authenticate this client. */
function faultOf(
  client: Client | undefined,
  credential: Credential,
  proof: Proof | undefined,
  now: number,
): string | undefined {
  if (!client) return "unknown_client";
  if (!proof) return "wrong_credential";
  if (proof.slot.expiresAt <= now) return "expired_secret";
  if (!client.enabled) return "disabled_client";
  const needed = methodsNeeded(credential, proof);
  return needed.every((method) => client.authMethods.includes(method))
    ? undefined
    : "method_not_registered";
}

/** A day form in place of the secret needs both: the way it travels, and the form. */
function methodsNeeded({ via }: Credential, { form }: Proof): AuthMethod[] {
  const needed: AuthMethod[] = via === "client_secret_hash" ? [] : [via];
  if (form === "day") needed.push("client_secret_hash_day");
  if (form === "once") needed.push("client_secret_hash_once");
  return needed;
}

function failure(detail: string): OAuthError {
  return new OAuthError("invalid_client", "Client authentication failed.", { detail });
}

/** Only the holder of the key comes here, so the server's time can be named (docs/protocol.md §1). */
function clockSkew(now: number): OAuthError {
  const description = `The hash is dated too far from now: the server's time is ${formatInstant(now)}.`;
  return new OAuthError("invalid_client", description, { detail: "clock_skew" });
}

function isBadCredential(error: unknown): boolean {
  return (
    error instanceof OAuthError && error.code === "invalid_client" && error.detail !== "clock_skew"
  );
}

/** RFC 6749 §5.2: a 401 names the scheme if, and only if, the client used the Authorization header. */
function withChallenge(error: unknown, issuer: string): unknown {
  if (!(error instanceof OAuthError) || error.status !== 401) return error;
  return new OAuthError(error.code, error.description, {
    detail: error.detail ?? "",
    cause: error.cause,
    headers: { "WWW-Authenticate": `Basic realm="${issuer}", charset="UTF-8"` },
  });
}
