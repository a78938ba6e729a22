/**
 * Which credential a request brings: exactly one. An access token comes as `Authorization: Bearer`
 * (RFC 6750 §2.1), as `Authorization: DPoP` (RFC 9449 §7.1) or in the alias `X-PA-AUTH-TOKEN`, an API key as `X-Api-Key` or bare in Authorization,
 * a signature in headers of its own (RFC 9421) or in a signed URL. No other credential has a place in
 * the URL, where logs and histories keep it.
 */
import { idOfApiKey } from "@daykey/common/api-key";
import { isBearerToken, readBearer, readDpopToken } from "@daykey/common/bearer";
import { hasUrlSignature } from "@daykey/common/signed-url";
import type { CredentialKind } from "./access.ts";
import type { GuardedRequest } from "./request.ts";

/** What was presented, or why that cannot be said. */
export type PresentedCredential =
  /**
   * `text` is a token or key; empty for a signature, which is spread over the request. `isDpop` says that
   * a proof comes with the token (RFC 9449 §7.1).
   */
  | { kind: CredentialKind; text: string; isDpop?: true }
  /** Nothing, or a scheme that is not served here. */
  | { kind: "none" }
  | { kind: "malformed"; detail: string };

/** Names under which others carry credentials in a URL, in lower case and without `-` and `_`. */
const CREDENTIAL_NAMES = new Set([
  "accesstoken",
  "apikey",
  "assertion",
  "auth",
  "authorization",
  "authtoken",
  "bearer",
  "clientassertion",
  "clientsecret",
  "clientsecrethash",
  "hmac",
  "idtoken",
  "jwt",
  "key",
  "password",
  "refreshtoken",
  "secret",
  "signature",
  "token",
  "xapikey",
  "xpaauthtoken",
]);
/** Those of Daykey are known under any name. */
const CREDENTIAL_VALUE = /^(?:dk[ks]_|dk[ar]1\.)/;

type Fields = Pick<GuardedRequest, "lines" | "field" | "target">;

/** Kinds that are not `accepted` are not looked for, but for tokens and API keys, which always are. */
export function readCredential(
  request: Fields,
  accepted: ReadonlySet<CredentialKind>,
): PresentedCredential {
  const query = queryOf(request.target);
  for (const [name, value] of query) {
    if (!isCredential(name, value)) continue;
    return { kind: "malformed", detail: "A credential belongs into a header, not into the URL." };
  }

  const authorizations = request.lines("authorization") ?? [];
  const token = request.field("x-pa-auth-token");
  const key = request.field("x-api-key");
  const brought: PresentedCredential[] = authorizations.map(readAuthorization);
  if (token !== undefined) {
    brought.push(readOne("access_token", token, "X-PA-AUTH-TOKEN is not one access token."));
  }
  if (key !== undefined) brought.push(readOne("api_key", key, "X-Api-Key is not one API key."));
  const signature = signatureKind(request);
  if (signature && accepted.has(signature)) brought.push({ kind: signature, text: "" });
  if (accepted.has("signed_url") && hasUrlSignature(query)) {
    brought.push({ kind: "signed_url", text: "" });
  }
  if (brought.length > 1) return { kind: "malformed", detail: "Use exactly one credential." };
  return brought[0] ?? { kind: "none" };
}

const NO_QUERY = new URLSearchParams();

function queryOf(target: string): URLSearchParams {
  const mark = target.indexOf("?");
  return mark < 0 ? NO_QUERY : new URLSearchParams(target.slice(mark + 1));
}

function isCredential(name: string, value: string): boolean {
  return (
    CREDENTIAL_NAMES.has(name.toLowerCase().replaceAll(/[-_]/g, "")) || CREDENTIAL_VALUE.test(value)
  );
}

function readAuthorization(authorization: string): PresentedCredential {
  const bearer = readBearer(authorization);
  if (bearer.kind === "token") return { kind: "access_token", text: bearer.token };
  const dpop = readDpopToken(authorization);
  if (dpop.kind === "token") return { kind: "access_token", text: dpop.token, isDpop: true };
  if (bearer.kind === "malformed" || dpop.kind === "malformed") {
    const scheme = dpop.kind === "malformed" ? "DPoP" : "Bearer";
    const detail = `The Authorization header is not of the form ${scheme} <token>.`;
    return { kind: "malformed", detail };
  }
  const isApiKey = idOfApiKey(authorization) !== undefined;
  return isApiKey ? { kind: "api_key", text: authorization } : { kind: "none" };
}

/** The lines of a repeated header are joined with a comma, which no token or key holds. */
function readOne(kind: CredentialKind, field: string, detail: string): PresentedCredential {
  return isBearerToken(field) ? { kind, text: field } : { kind: "malformed", detail };
}

/** The simple form is told by what it lacks. */
function signatureKind({ lines }: Fields): CredentialKind | undefined {
  if (lines("signature-input") !== undefined) return "http_signature";
  return lines("signature") === undefined ? undefined : "simple_signature";
}
