/** What a grant type has to answer; the endpoint owns every phase around it. */
import type { AccessTokenClaims, Confirmation } from "@daykey/common/access-token";
import type { Grant } from "../grants/grant.ts";
import type { VerifiedClient } from "../clients/client.ts";

/** A token request whose client has proved itself. */
export interface AuthenticatedRequest {
  client: VerifiedClient;
  form: ReadonlyMap<string, string>;
  /** What the access token will be bound to, if anything. */
  confirmation: Confirmation | undefined;
  /**
   * Charges the token to the client's quotas. The endpoint does it before a token is issued; a grant that
   * changes something does it before that.
   * @throws {OAuthError} slow_down or temporarily_unavailable
   */
  spend(): Promise<void>;
  /** Told what a log line may say, as soon as it is known. */
  note(fields: {
    grant?: string;
    resource?: string;
    refresh?: string;
    subjectGrant?: string;
    onBehalfOf?: string;
  }): void;
}

/** What may be issued: tokens of this grant, for this resource, with this scope. */
export interface Authorization {
  client: VerifiedClient;
  grant: Grant;
  resource: string;
  scope: readonly string[];
  /** The refresh token to issue, if any. */
  refresh: { seq: number; issuedAt: number } | undefined;
  /**
   * Uses up what was brought and works once. The endpoint does it when nothing else can refuse the token.
   * @throws {OAuthError} where it was used before, slow_down
   */
  useUp?(): Promise<void>;
  /** On whose behalf, where the token is not the client's own (RFC 8693). */
  onBehalf?: OnBehalf;
}

/** What the token says of its subject, of who acts, and of the grants above it. */
export interface OnBehalf extends Pick<
  AccessTokenClaims,
  "sub" | "workload" | "ext" | "act" | "anc"
> {
  /** The access token ends then at the latest; epoch seconds. */
  notAfter: number;
}

/** @throws {OAuthError} invalid_request, invalid_grant, invalid_scope or invalid_target */
export type Authorize = (request: AuthenticatedRequest) => Promise<Authorization>;
