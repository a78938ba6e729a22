/**
 * What a request may do, whichever credential it brought: the guard and the quotas know this alone.
 */
import type { IncomingMessage } from "node:http";
import type { AccessTokenClaims } from "@daykey/common/access-token";
import type { Quota } from "@daykey/common/quota";

export type CredentialKind =
  | "access_token"
  | "api_key"
  | "http_signature"
  | "simple_signature"
  | "signed_url";

export interface Access {
  via: CredentialKind;
  clientId: string;
  /** The kid of the secret or key that stands behind it. */
  credential: string;
  /** Of an access token. */
  grant?: string;
  scope: readonly string[];
  /** Both are charged. */
  quotas: { client: readonly Quota[]; key: readonly Quota[] };
}

/**
 * Whose credential this is. It is given what the credential says in one piece, the request, over which a
 * signature is spread, and the caller's address as limits count it. Not checked: the scope.
 * @throws {InvalidCredential}; {KeysUnavailable}, {RevocationsUnknown} or {AuthServerUnavailable} when
 *   nothing can be said
 */
export type Authenticate = (
  text: string,
  request: IncomingMessage,
  address: string,
) => Promise<Access>;

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

const NO_QUOTAS: readonly Quota[] = [];

export function accessOfToken(claims: AccessTokenClaims): Access {
  const { client_id: clientId, cred: credential, gid: grant, quota = NO_QUOTAS } = claims;
  const scope = claims.scope.split(" ");
  const quotas = { client: quota, key: NO_QUOTAS };
  return { via: "access_token", clientId, credential, grant, scope, quotas };
}
