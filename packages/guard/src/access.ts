/**
 * What a request may do, whichever credential it brought: the guard and the quotas know this alone.
 */
import {
  type AccessTokenClaims,
  actorsOf,
  type Confirmation,
  type Ext,
  type Workload,
} from "@daykey/common/access-token";
import type { Quota } from "@daykey/common/quota";
import type { GuardedRequest } from "./request.ts";

export type CredentialKind =
  | "access_token"
  | "api_key"
  | "http_signature"
  | "simple_signature"
  | "signed_url";

export interface Access {
  via: CredentialKind;
  clientId: string;
  /** For whom the client acts: the client itself, or another (RFC 8693). */
  subject: string;
  /** Who acts for the subject, the one that acts now first; empty where nobody is named. */
  actors: readonly string[];
  /** The kid of the secret or key that stands behind it. */
  credential: string;
  /** Only for an access token. */
  grant?: string;
  scope: readonly string[];
  /** Who stands behind the client, as an issuer says that the auth-server trusts; only for an access token. */
  workload?: Readonly<Workload>;
  /** What the operator has services know of the client, frozen; only for an access token. */
  ext?: Ext;
  /** Epoch seconds at which the credential ends; undefined where it has no end. */
  expiresAt?: number | undefined;
  /** The key that an access token is bound to, and that its bearer has proved to hold. */
  confirmation?: Confirmation;
  /** By what a revocation ends it: within a second by the feed, or not before its end. */
  revocation: "feed" | "until-expiry";
  /** Both are charged. */
  quotas: { client: readonly Quota[]; key: readonly Quota[] };
}

/**
 * Whose credential this is. It is given what the credential says in one piece, and the request, over
 * which a signature is spread. Not checked: the scope.
 * @throws {InvalidCredential}; {KeysUnavailable}, {RevocationsUnknown} or {AuthServerUnavailable} when
 *   nothing can be said
 */
export type Authenticate = (text: string, request: GuardedRequest) => Promise<Access>;

/** What the log may say of a credential that is genuine. */
export type Holder = Pick<Access, "clientId" | "credential" | "grant">;

/** The credential is refused; `reason` is for the log, the caller learns only that it is invalid. */
export class InvalidCredential extends Error {
  override readonly name = "InvalidCredential";
  readonly reason: string;
  /** Only of one that the issuer vouches for. */
  readonly holder: Holder | undefined;
  /** Fixed text for the caller, about what anyone can see in the request. */
  readonly hint: string | undefined;

  constructor(reason: string, holder?: Holder, hint?: string) {
    super(reason);
    this.reason = reason;
    this.holder = holder;
    this.hint = hint;
  }
}

/** An access token that is bound to a key, or its proof, is refused (RFC 9449 §7.1). */
export class InvalidProof extends InvalidCredential {
  readonly error: "invalid_token" | "invalid_dpop_proof" | "use_dpop_nonce";
  /** The nonce to use. */
  readonly nonce: string | undefined;

  constructor(error: InvalidProof["error"], reason: string, holder: Holder, nonce?: string) {
    super(reason, holder, HINTS[error]);
    this.error = error;
    this.nonce = nonce;
  }
}

const HINTS: Record<InvalidProof["error"], string> = {
  invalid_token:
    "A token that is bound to a key comes as DPoP with a proof of that key, and no other token does.",
  invalid_dpop_proof: "The DPoP proof is not one of this request.",
  use_dpop_nonce: "The DPoP proof needs the nonce of the DPoP-Nonce header.",
};

const NO_QUOTAS: readonly Quota[] = [];

export function accessOfToken(
  claims: AccessTokenClaims,
  revocation: Access["revocation"] = "feed",
): Access {
  const {
    client_id: clientId,
    sub: subject,
    cred: credential,
    gid: grant,
    exp: expiresAt,
  } = claims;
  return {
    via: "access_token",
    clientId,
    subject,
    actors: actorsOf(claims.act),
    credential,
    grant,
    scope: claims.scope.split(" "),
    ...(claims.workload && { workload: { ...claims.workload } }),
    ...(claims.ext && { ext: claims.ext }),
    expiresAt,
    ...(claims.cnf && { confirmation: claims.cnf }),
    revocation,
    quotas: { client: claims.quota ?? NO_QUOTAS, key: NO_QUOTAS },
  };
}
