/**
 * The first two phases of every endpoint that clients authenticate at: read the form, authenticate
 * the client. They stand here once, so that none of them can forget a check.
 */
import type { IncomingMessage } from "node:http";
import type { ClientCertificate } from "@daykey/common/client-certificate";
import { OAuthError } from "@daykey/common/oauth-error";
import type { ReadCertificate } from "@daykey/service/http/client-certificate";
import type { AppContext } from "@daykey/service/http/router";
import type { ClientAuthenticator } from "./authenticate.ts";
import type { VerifiedClient } from "../clients/client.ts";
import { CREDENTIAL_PARAMETERS } from "./credential.ts";
import { readForm } from "./form.ts";

export interface AuthenticatedForm {
  client: VerifiedClient;
  form: ReadonlyMap<string, string>;
  /** What the client proved in a handshake of TLS, whatever it authenticated with. */
  certificate: ClientCertificate | undefined;
  /** Adds to the request's log line. */
  note(fields: object): void;
}

/** Reads a request's parameters; by default they are a form. */
export type ReadParameters = (req: IncomingMessage) => Promise<ReadonlyMap<string, string>>;

/** @throws {OAuthError} as `readForm` and `ClientAuthenticator.authenticate` */
export type ReadAuthenticated = (
  ctx: AppContext,
  options?: {
    read?: ReadParameters;
    isForTokens?: boolean;
    /** Throws for a request that is refused whoever sent it, before the client is authenticated. */
    judge?: (form: ReadonlyMap<string, string>) => unknown;
  },
) => Promise<AuthenticatedForm>;

/**
 * @param isResourceServer a resource's server that has proven itself asks for all its callers, so that the limit
 *   of requests by one address is not for it
 */
export function createReadAuthenticated(
  authenticator: ClientAuthenticator,
  isResourceServer: (clientId: string) => boolean,
  certificateOf: ReadCertificate,
): ReadAuthenticated {
  return async (ctx, { read = readForm, isForTokens = false, judge } = {}) => {
    const { logFields, addressKey } = ctx.state;
    const note = (fields: object): void => void Object.assign(logFields, fields);
    refuseCredentialsInUrl(ctx);
    const certificate = certificateOf(ctx.req);
    const form = await read(ctx.req);
    judge?.(form);
    const client = await authenticator.authenticate({
      form,
      authorization: ctx.req.headers.authorization,
      certificate,
      addressKey,
      isForTokens,
      note,
    });
    if (!isForTokens && isResourceServer(client.clientId)) ctx.state.uncount?.();
    return { client, form, certificate, note };
  };
}

/** RFC 6749 §2.3.1: credentials MUST NOT be included in the request URI. */
function refuseCredentialsInUrl(ctx: AppContext): void {
  if (ctx.querystring === "") return;
  const names = new URLSearchParams(ctx.querystring);
  if (!CREDENTIAL_PARAMETERS.some((name) => names.has(name))) return;
  throw new OAuthError("invalid_request", "Send credentials in the body, not in the URL.", {
    detail: "credential_in_url",
  });
}
