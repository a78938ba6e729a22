/**
 * How the guard refuses: problems (RFC 9457) with the challenge of RFC 6750 §3, whose error codes are
 * for access tokens alone. The caller learns what to do; why a credential is bad is for the log.
 */
import type { ProblemCode } from "@daykey/common/problems";
import { PATHS } from "@daykey/common/protocol";
import { problem, type ProblemError } from "@daykey/service/http/problem-error";
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

const INVALID: Record<CredentialKind, ProblemCode> = {
  access_token: "invalid-token",
  api_key: "invalid-api-key",
  http_signature: "invalid-signature",
  simple_signature: "invalid-signature",
  signed_url: "invalid-signature",
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
      problem(401, {
        title: "A credential is required",
        reason: "no_credential",
        headers: challenge({ scope }),
      }),
    malformed: (detail, scope) =>
      problem("invalid-request", {
        detail,
        reason: "malformed_credential",
        headers: challenge({ error: "invalid_request", scope }),
      }),
    because(error, kind, scope) {
      if (error instanceof InvalidCredential) {
        const headers = challengeFor(kind, { error: "invalid_token", scope });
        const detail = error.hint === undefined ? {} : { detail: error.hint };
        const { reason } = error;
        return problem(INVALID[kind], { ...detail, reason, headers });
      }
      if (error instanceof KeysUnavailable) {
        return unavailable("keys-unavailable", "keys_unavailable");
      }
      if (error instanceof RevocationsUnknown) {
        return unavailable("revocations-unknown", error.reason);
      }
      if (error instanceof AuthServerUnavailable) {
        return unavailable("auth-server-unavailable", "introspection_failed");
      }
      if (error instanceof NoncesUnavailable) {
        return unavailable("nonces-unavailable", "nonces_unavailable");
      }
      return error;
    },
    insufficientScope: (scope, kind) =>
      problem("insufficient-scope", {
        detail: `This needs the scope ${scope}.`,
        reason: "insufficient_scope",
        headers: challengeFor(kind, { error: "insufficient_scope", scope }),
      }),
    otherClient: (kind, scope) =>
      problem("other-client", { reason: "other_client", headers: challengeFor(kind, { scope }) }),
  };
}

function unavailable(code: ProblemCode, reason: string): ProblemError {
  return problem(code, { reason, headers: { "Retry-After": "1" } });
}
