/**
 * How the guard refuses: problems (RFC 9457) with the challenge of RFC 6750 §3, whose error codes are
 * for access tokens alone. The caller learns what to do; why a credential is bad is for the log.
 */
import { type ProblemCode, PROBLEMS } from "@daykey/common/problems";
import { PROBLEM_MEDIA_TYPE } from "@daykey/common/media-types";
import { PATHS } from "@daykey/common/protocol";
import { DPOP_ALGORITHMS } from "@daykey/common/dpop";
import { type CredentialKind, InvalidCredential, InvalidProof } from "./access.ts";
import { AuthServerUnavailable } from "./tokens/ask.ts";
import { KeysUnavailable } from "./tokens/jwks.ts";
import { NoncesUnavailable } from "./keys/nonce-store.ts";
import { RevocationsUnknown } from "./revocation/stale-policy.ts";
import type { LogFields } from "./log.ts";
import { Refused } from "./refused.ts";

/** RFC 9457 §3. Its texts are fixed: nothing in it comes from the request. */
export interface Problem {
  /** `urn:daykey:problem:<code>`, or `about:blank` for what the status alone says. */
  type: string;
  title: string;
  status: number;
  detail?: string;
}

/** The answer to a request that is not let through. */
export interface Refusal {
  allowed: false;
  status: number;
  /** Challenge, Retry-After and quotas where they belong, Content-Type and Cache-Control. */
  headers: Readonly<Record<string, string>>;
  /** To be sent as JSON; to HEAD it is not sent. */
  body: Problem;
  /** The code in `body.type`. */
  code: ProblemCode | undefined;
  /** A short code for the log, not for the caller. */
  reason: string;
  log: LogFields;
}

export function refusalOf({ kind, told }: Refused, noted: LogFields): Refusal {
  const isCode = typeof kind === "string";
  const [status, known] = isCode ? PROBLEMS[kind] : [kind, ""];
  const { title = known, detail, headers } = told;
  const reason = told.reason ?? (isCode ? kind.replaceAll("-", "_") : String(kind));
  const type = isCode ? `urn:daykey:problem:${kind}` : "about:blank";
  return {
    allowed: false,
    status,
    headers: { "Content-Type": PROBLEM_MEDIA_TYPE, "Cache-Control": "no-store", ...headers },
    body: { type, title, status, ...(detail !== undefined && { detail }) },
    code: isCode ? kind : undefined,
    reason,
    log: { ...noted, reason },
  };
}

/** Each takes the scope that the route needs, so that its challenge can name it (RFC 6750 §3). */
export interface Refusals {
  noCredential(scope: string): Refused;
  malformed(detail: string, scope: string): Refused;
  /** An error of an authenticator as a refusal; any other as it is. */
  because(error: unknown, kind: CredentialKind, scope: string): unknown;
  insufficientScope(scope: string, kind: CredentialKind): Refused;
  /** The route is for other clients. */
  otherClient(kind: CredentialKind, scope: string): Refused;
  /** The guard was closed: it hears of no more revocations, and nothing is known from then on. */
  closed(): Refused;
}

const INVALID: Record<CredentialKind, ProblemCode> = {
  access_token: "invalid-token",
  api_key: "invalid-api-key",
  http_signature: "invalid-signature",
  simple_signature: "invalid-signature",
  signed_url: "invalid-signature",
};

/**
 * @param resource this resource's URI; its metadata says where tokens come from (RFC 9728 §5.1)
 * @param isDpopRequired whether only tokens that are bound to a key are taken
 */
export function createRefusals(resource: string, isDpopRequired: boolean): Refusals {
  const { origin, pathname } = new URL(resource);
  // RFC 9728 §3.1: the well-known part goes between host and path.
  const path = pathname === "/" ? "" : pathname;
  const metadata = `${origin}${PATHS.protectedResourceMetadata}${path}`;
  const challenge = (
    parameters: Record<string, string> = {},
    scheme = isDpopRequired ? "DPoP" : "Bearer",
  ): Record<string, string> => {
    const all = {
      realm: resource,
      ...parameters,
      resource_metadata: metadata,
      // RFC 9449 §7.1.
      ...(scheme === "DPoP" && { algs: DPOP_ALGORITHMS.join(" ") }),
    };
    const list = Object.entries(all).map(([name, value]) => `${name}="${value}"`);
    return { "WWW-Authenticate": `${scheme} ${list.join(", ")}` };
  };
  /** To whom brought another credential, an access token is still offered. */
  const challengeFor = (kind: CredentialKind, parameters: { scope: string; error?: string }) =>
    challenge(kind === "access_token" ? parameters : { scope: parameters.scope });

  return {
    noCredential: (scope) =>
      new Refused(401, {
        title: "A credential is required",
        reason: "no_credential",
        headers: challenge({ scope }),
      }),
    malformed: (detail, scope) =>
      new Refused("invalid-request", {
        detail,
        reason: "malformed_credential",
        headers: challenge({ error: "invalid_request", scope }),
      }),
    because(error, kind, scope) {
      if (error instanceof InvalidProof) {
        const { reason, nonce, hint: detail = "" } = error;
        const headers = challenge({ error: error.error, scope }, "DPoP");
        if (nonce !== undefined) headers["DPoP-Nonce"] = nonce;
        return new Refused("invalid-token", { detail, reason, headers });
      }
      if (error instanceof InvalidCredential) {
        const headers = challengeFor(kind, { error: "invalid_token", scope });
        const detail = error.hint === undefined ? {} : { detail: error.hint };
        const { reason } = error;
        return new Refused(INVALID[kind], { ...detail, reason, headers });
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
      new Refused("insufficient-scope", {
        detail: `This needs the scope ${scope}.`,
        reason: "insufficient_scope",
        headers: challengeFor(kind, { error: "insufficient_scope", scope }),
      }),
    otherClient: (kind, scope) =>
      new Refused("other-client", {
        reason: "other_client",
        headers: challengeFor(kind, { scope }),
      }),
    closed: () =>
      new Refused(503, {
        title: "Nothing is checked here any more",
        reason: "guard_closed",
        headers: { "Retry-After": "1" },
      }),
  };
}

function unavailable(code: ProblemCode, reason: string): Refused {
  return new Refused(code, { reason, headers: { "Retry-After": "1" } });
}
