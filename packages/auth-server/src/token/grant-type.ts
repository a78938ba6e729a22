/** What a grant type has to answer; the endpoint owns every phase around it. */
import type { Grant } from "../grants/grant.ts";
import type { VerifiedClient } from "../clients/client.ts";

/** A token request whose client has proved itself. */
export interface AuthenticatedRequest {
  client: VerifiedClient;
  form: ReadonlyMap<string, string>;
  /** Told what a log line may say, as soon as it is known. */
  note(fields: { grant?: string; resource?: string; refresh?: string }): void;
}

/** What may be issued: tokens of this grant, for this resource, with this scope. */
export interface Authorization {
  client: VerifiedClient;
  grant: Grant;
  resource: string;
  scope: readonly string[];
  /** The refresh token to issue, if any. */
  refresh: { seq: number; issuedAt: number } | undefined;
}

/** @throws {OAuthError} invalid_request, invalid_grant, invalid_scope or invalid_target */
export type Authorize = (request: AuthenticatedRequest) => Promise<Authorization>;
