/**
 * `POST /oauth2/token` (RFC 6749 §3.2), top to bottom: read the form, find the grant type, authenticate
 * the client and ask whether it may use that grant type, authorize, issue. The phases every grant
 * shares stand here, so no grant can forget one, and nor can `seed-endpoint.ts`, which gets its tokens
 * by the same function.
 */
import type { Confirmation } from "@daykey/common/access-token";
import type { ClientCertificate } from "@daykey/common/client-certificate";
import { OAuthError } from "@daykey/common/oauth-error";
import { GRANT_TYPES, type GrantType, JWT_BEARER_GRANT, PATHS } from "@daykey/common/protocol";
import { answerJson } from "@daykey/service/http/json-answer";
import { type AppContext, type AppRouter, createRouter } from "@daykey/service/http/router";
import { thumbprintOf } from "../authentication/certificate.ts";
import type { Client } from "../clients/client.ts";
import type { ReadAuthenticated, ReadParameters } from "../authentication/client-endpoint.ts";
import type { DpopProof } from "@daykey/common/dpop-proof";
import type { SpendToken } from "../token-quota/spend.ts";
import type { DpopAtIssue } from "./dpop.ts";
import type { Authorize } from "./grant-type.ts";
import type { Issued, TokenIssuer } from "./issuer.ts";

/** Some exist only by a setting, or while an issuer is trusted. */
export type IsOpenGrantType = (grantType: GrantType) => boolean;

/**
 * All phases of a token request; the answer is the caller's to write.
 * @param read where the parameters are, if not in a form
 * @throws {OAuthError} of whichever phase refuses
 */
export type IssueTokens = (ctx: AppContext, read?: ReadParameters) => Promise<Issued>;

export function createIssueTokens({
  readAuthenticated,
  grantTypes,
  isOpen,
  dpop,
  spendToken,
  issuer,
  issue,
}: {
  readAuthenticated: ReadAuthenticated;
  dpop: DpopAtIssue;
  spendToken: SpendToken;
  issuer: string;
  /** Whether a grant type exists here now. */
  isOpen: IsOpenGrantType;
  grantTypes: Readonly<Record<GrantType, Authorize>>;
  issue: TokenIssuer;
}): IssueTokens {
  return async (ctx, read) => {
    let proof: DpopProof | undefined;
    const { client, form, certificate, note } = await readAuthenticated(ctx, {
      ...(read && { read }),
      isForTokens: true,
      judge(asked) {
        grantTypeOf(asked, isOpen);
        const lines = ctx.req.headersDistinct["dpop"];
        if (lines) ctx.set(dpop.headers());
        proof = dpop.read({ lines, method: ctx.method, path: ctx.path });
      },
    });

    const grantType = grantTypeOf(form, () => true);
    requireGrantType(client, grantType);
    note({ grantType });
    const confirmation = boundTo(certificate, client, await dpop.confirm(client, proof));

    let spent: Promise<void> | undefined;
    const spend = (): Promise<void> =>
      (spent ??= spendToken(client, note).then((headers) => ctx.set(headers)));
    const authorization = await grantTypes[grantType]({
      client,
      form,
      confirmation,
      spend,
      note,
    });
    note({ grant: authorization.grant.id, resource: authorization.resource });
    if (confirmation) requireBindingAt(authorization.resource, issuer);
    await spend();
    await authorization.useUp?.();

    ctx.set("Pragma", "no-cache");
    const issued = issue(authorization, confirmation);
    note({ outcome: "issued" });
    return issued;
  };
}

export function createTokenEndpoint(issueTokens: IssueTokens): AppRouter {
  const router = createRouter();
  router.post(PATHS.token, async (ctx) => {
    answerJson(ctx, JSON.stringify((await issueTokens(ctx)).tokens));
  });
  return router;
}

/**
 * Asked before authentication: it depends on nothing but the request, and someone who tries a grant type
 * that does not exist here should not look for the fault in the credentials.
 * @throws {OAuthError} invalid_request or unsupported_grant_type
 */
function grantTypeOf(form: ReadonlyMap<string, string>, isOpen: IsOpenGrantType): GrantType {
  const asked = form.get("grant_type");
  if (asked === undefined) {
    throw new OAuthError("invalid_request", "The parameter grant_type is missing.");
  }
  const known = GRANT_TYPES.find((name) => name === asked);
  if (!known || !isOpen(known)) {
    throw new OAuthError("unsupported_grant_type", "The grant type is not supported.");
  }
  if (known === JWT_BEARER_GRANT && !form.has("assertion")) {
    throw new OAuthError("invalid_request", "The parameter assertion is missing.");
  }
  return known;
}

/**
 * What the token is bound to: by its registration to the certificate of this very connection (RFC 8705 §3),
 * and to the key of a proof.
 * @throws {OAuthError} invalid_request for a client that shows none
 */
function boundTo(
  certificate: ClientCertificate | undefined,
  { certificateBound }: Client,
  confirmation: Confirmation | undefined,
): Confirmation | undefined {
  if (certificateBound !== true) return confirmation;
  if (certificate) return { ...confirmation, "x5t#S256": thumbprintOf(certificate.der) };
  throw new OAuthError(
    "invalid_request",
    "This client's access tokens are bound to its certificate: show it in the handshake of TLS.",
    { detail: "certificate_missing" },
  );
}

/**
 * The issuer's own resources take bearer tokens alone: their private listener has no public address that
 * a proof could name.
 * @throws {OAuthError} invalid_target
 */
function requireBindingAt(resource: string, issuer: string): void {
  if (resource !== issuer) return;
  throw new OAuthError(
    "invalid_target",
    "A token for this server itself is bound to nothing: ask for it without a DPoP proof, as a client whose tokens need not be bound.",
    { detail: "bound_token_for_issuer" },
  );
}

/** @throws {OAuthError} unauthorized_client */
function requireGrantType(client: Client, grantType: GrantType): void {
  if (client.grantTypes.includes(grantType)) return;
  throw new OAuthError("unauthorized_client", "The client may not use this grant type.");
}
