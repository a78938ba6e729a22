/**
 * How the guard refuses: problems (RFC 9457) with the challenge of RFC 6750 §3, whose error codes are
 * for access tokens alone. The caller learns what to do; why a credential is bad is for the log.
 */
import { PATHS } from "@daykey/common/protocol";
import { ProblemError } from "@daykey/service/http/problem-error";
import { type CredentialKind, InvalidCredential } from "./access.ts";
import { AuthServerUnavailable } from "./tokens/ask.ts";
import { KeysUnavailable } from "./tokens/jwks.ts";
import { NoncesUnavailable } from "./keys/nonce-store.ts";
import { RevocationsUnknown } from "./revocation/stale-policy.ts";

/** Each is told the scope that the route needs, so that its challenge can name it (RFC 6750 §3). */
export interface Refusals {
  noCredential(scope: string): ProblemError;
  malformed(detail: string, scope: string): ProblemError;
  /** An error of an authenticator as a problem; any other as it is. */
  because(error: unknown, kind: CredentialKind, scope: string): unknown;
  insufficientScope(scope: string, kind: CredentialKind): ProblemError;
  /** The route is for other clients. */
  otherClient(kind: CredentialKind, scope: string): ProblemError;
}

const TOKEN = { code: "invalid-token", title: "The access token is not valid here" };
const SIGNATURE = { code: "invalid-signature", title: "The signature is not valid here" };
const INVALID: Record<CredentialKind, { code: string; title: string }> = {
  access_token: TOKEN,
  api_key: { code: "invalid-api-key", title: "The API key is not valid here" },
  http_signature: SIGNATURE,
  simple_signature: SIGNATURE,
  signed_url: SIGNATURE,
};

/** @param resource this resource's URI; its metadata says where tokens come from (RFC 9728 §5.1) */
export function createRefusals(resource: string): Refusals {
  const challenge = (parameters: Record<string, string> = {}): Record<string, string> => {
    const all = {
      realm: resource,
      ...parameters,
      resource_metadata: `${resource}${PATHS.protectedResourceMetadata}`,
    };
    const list = Object.entries(all).map(([name, value]) => `${name}="${value}"`);
    return { "WWW-Authenticate": `Bearer ${list.join(", ")}` };
  };
  /** To whom brought another credential, an access token is still offered. */
  const challengeFor = (kind: CredentialKind, parameters: { scope: string; error?: string }) =>
    challenge(kind === "access_token" ? parameters : { scope: parameters.scope });

  return {
    noCredential: (scope) =>
      new ProblemError({
        status: 401,
        title: "A credential is required",
        reason: "no_credential",
        headers: challenge({ scope }),
      }),
    malformed: (detail, scope) =>
      new ProblemError({
        status: 400,
        code: "invalid-request",
        title: "The request is malformed",
        detail,
        reason: "malformed_credential",
        headers: challenge({ error: "invalid_request", scope }),
      }),
    because(error, kind, scope) {
      if (error instanceof InvalidCredential) {
        const headers = challengeFor(kind, { error: "invalid_token", scope });
        const detail = error.hint === undefined ? {} : { detail: error.hint };
        const { reason } = error;
        return new ProblemError({ status: 401, ...INVALID[kind], ...detail, reason, headers });
      }
      if (error instanceof KeysUnavailable) {
        return unavailable("keys-unavailable", "Access tokens", "keys_unavailable");
      }
      if (error instanceof RevocationsUnknown) {
        return unavailable("revocations-unknown", "Access tokens", error.reason);
      }
      if (error instanceof AuthServerUnavailable) {
        return unavailable("auth-server-unavailable", "Keys of clients", "introspection_failed");
      }
      if (error instanceof NoncesUnavailable) {
        return unavailable("nonces-unavailable", "Signatures", "nonces_unavailable");
      }
      return error;
    },
    insufficientScope: (scope, kind) =>
      new ProblemError({
        status: 403,
        code: "insufficient-scope",
        title: "The credential lacks a scope",
        detail: `This needs the scope ${scope}.`,
        reason: "insufficient_scope",
        headers: challengeFor(kind, { error: "insufficient_scope", scope }),
      }),
    otherClient: (kind, scope) =>
      new ProblemError({
        status: 403,
        code: "other-client",
        title: "This is for other clients",
        reason: "other_client",
        headers: challengeFor(kind, { scope }),
      }),
  };
}

function unavailable(code: string, what: string, reason: string): ProblemError {
  const headers = { "Retry-After": "1" };
  return new ProblemError({
    status: 503,
    code,
    title: `${what} cannot be checked now`,
    reason,
    headers,
  });
}
