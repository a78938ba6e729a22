/** Issuing: from what was authorized to the tokens themselves. Writes nothing. */
import type { AccessTokenClaims, Confirmation } from "@daykey/common/access-token";
import type { Clock } from "@daykey/common/clock";
import { OAuthError } from "@daykey/common/oauth-error";
import { MAX_ACCESS_TOKEN_LENGTH, TOKEN_TYPES } from "@daykey/common/protocol";
import { formatScope } from "@daykey/common/scope";
import { quotasFor } from "../clients/quotas.ts";
import type { KeysInUse } from "../keys/keys-in-use.ts";
import type { Authorization } from "./grant-type.ts";
import { formatOpaqueToken } from "./opaque-token.ts";
import { randomId } from "./random-ids.ts";
import { formatRefreshToken } from "./refresh-token-format.ts";

/** The answer of RFC 6749 §5.1. */
export interface TokenSet {
  access_token: string;
  token_type: "Bearer" | "DPoP";
  /** exp − iat, seconds. */
  expires_in: number;
  scope: string;
  refresh_token?: string;
  /** Only an exchange has it (RFC 8693 §2.2.1). */
  issued_token_type?: string;
}

/** What was issued. */
export interface Issued {
  tokens: TokenSet;
  /** `exp` of the access token, epoch seconds. */
  expiresAt: number;
}

/** @param confirmation what the access token is bound to; a refresh token is its client's in any case */
export type TokenIssuer = (authorization: Authorization, confirmation?: Confirmation) => Issued;

export function createTokenIssuer({
  keys,
  clock,
  issuer,
  accessTokenSeconds,
  accessTokenMaxSeconds,
}: {
  keys: KeysInUse;
  clock: Clock;
  issuer: string;
  /** Default for clients without their own setting. */
  accessTokenSeconds: number;
  /** No client's own life goes above it: resource servers refuse what does. */
  accessTokenMaxSeconds: number;
}): TokenIssuer {
  return ({ client, grant, resource, scope, refresh, onBehalf }, confirmation) => {
    const iat = Math.floor(clock());
    const life = Math.min(
      client.accessTokenSeconds ?? accessTokenSeconds,
      accessTokenMaxSeconds,
      client.accessTokenLimitSeconds ?? Infinity,
      (onBehalf?.notAfter ?? Infinity) - iat,
    );
    const claims: AccessTokenClaims = {
      iss: issuer,
      sub: grant.clientId,
      client_id: grant.clientId,
      aud: resource,
      iat,
      exp: iat + life,
      jti: randomId(),
      scope: formatScope(scope),
      gid: grant.id,
      ep: grant.epoch,
      cred: grant.credential,
    };
    const quota = quotasFor(scope, client.quotas ?? []);
    if (quota.length > 0) claims.quota = quota;
    if (confirmation) claims.cnf = confirmation;
    // What a token says of its subject is said of whom it acts for.
    const { workload, ext } = onBehalf ?? client;
    if (workload) claims.workload = workload;
    if (ext && Object.keys(ext).length > 0) claims.ext = ext;
    if (onBehalf) {
      const { sub, act, anc } = onBehalf;
      Object.assign(claims, { sub, anc, ...(act && { act }) });
    }
    const accessToken =
      client.accessTokenFormat === "opaque"
        ? formatOpaqueToken(claims, keys.opaqueKey(), issuer)
        : keys.signingKey().sign(claims);
    if (accessToken.length > MAX_ACCESS_TOKEN_LENGTH) throw tooLong();
    const tokens: TokenSet = {
      access_token: accessToken,
      token_type: confirmation?.jkt === undefined ? "Bearer" : "DPoP",
      expires_in: life,
      scope: claims.scope,
      ...(onBehalf && { issued_token_type: TOKEN_TYPES.accessToken }),
    };
    if (refresh) {
      const { seq, issuedAt } = refresh;
      // The key of the instant of issue, so that a retry gets the same bytes whenever it comes.
      const key = keys.refreshKeyAt(issuedAt);
      tokens.refresh_token = formatRefreshToken({ grant, seq, issuedAt }, key, issuer);
    }
    return { tokens, expiresAt: claims.exp };
  };
}

/** Nobody would take it: what all its claims may have together is more than a header holds. */
function tooLong(): OAuthError {
  return new OAuthError(
    "invalid_scope",
    "The access token would be too long for a header. Ask for less scope, or give the client fewer quotas or claims.",
    { detail: "token_too_long" },
  );
}
