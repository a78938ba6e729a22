/**
 * Token exchange (RFC 8693): a client gets a token of its own for a token that it was brought, to act on
 * behalf of that token's subject.
 */
import { OAuthError } from "@daykey/common/oauth-error";
import { TOKEN_TYPES } from "@daykey/common/protocol";
import type { ParseAssertion } from "../authentication/credential.ts";
import type { Authorize, AuthenticatedRequest } from "./grant-type.ts";
import type { OnBehalfOf, OwnTokens, Subject } from "./on-behalf.ts";

export function createTokenExchange({
  readAccessToken,
  readRights,
  parseAssertion,
  onBehalfOf,
}: OwnTokens & {
  parseAssertion: ParseAssertion;
  onBehalfOf: OnBehalfOf;
}): Authorize {
  /** Who acts is the client that proves itself; a token can only say so again. @throws {OAuthError} */
  async function requireOwnToken(text: string, clientId: string): Promise<void> {
    const token = readAccessToken(text);
    const rights = token && (await readRights(token));
    const isOwn = typeof rights === "object" && rights.client_id === clientId;
    if (isOwn && rights.sub === clientId) return;
    throw malformed("The actor_token is not an access token of this client.", "actor_token");
  }

  async function subjectOf(request: AuthenticatedRequest, wish: Wish): Promise<Subject> {
    const token = readAccessToken(wish.text);
    if (token) return onBehalfOf.ofToken(token, badSubject);
    if (wish.type === TOKEN_TYPES.accessToken) throw badSubject("not_our_token");
    return onBehalfOf.ofAssertion(parseAssertion(wish.text), "grant", request, badSubject);
  }

  return async (request) => {
    const { client, form } = request;
    if (!client.exchange) {
      throw new OAuthError("unauthorized_client", "The client may exchange nothing.");
    }
    const wish = readForm(form);
    if (wish.actorToken !== undefined) await requireOwnToken(wish.actorToken, client.clientId);
    const subject = await subjectOf(request, wish);
    return onBehalfOf.act(request, subject, withAudience(form), badSubject);
  };
}

interface Wish {
  text: string;
  type: string;
  actorToken: string | undefined;
}

/** @throws {OAuthError} invalid_request */
function readForm(form: ReadonlyMap<string, string>): Wish {
  const text = form.get("subject_token");
  const type = form.get("subject_token_type");
  if (text === undefined) throw missing("subject_token");
  if (type === undefined) throw missing("subject_token_type");
  if (!SUBJECT_TYPES.includes(type)) {
    throw malformed("The subject_token_type is not access_token or jwt.", "subject_token_type");
  }
  const requested = form.get("requested_token_type") ?? TOKEN_TYPES.accessToken;
  if (requested !== TOKEN_TYPES.accessToken) {
    throw malformed("The requested_token_type is not access_token.", "requested_token_type");
  }
  // RFC 8693 §2.1: the type is there if, and only if, the token is.
  const actorToken = form.get("actor_token");
  const actorType = form.get("actor_token_type");
  if (actorType !== (actorToken && TOKEN_TYPES.accessToken)) {
    throw malformed("The actor_token has no type, or is not an access_token.", "actor_token_type");
  }
  return { text, type, actorToken };
}

const SUBJECT_TYPES: readonly string[] = [TOKEN_TYPES.accessToken, TOKEN_TYPES.jwt];

/** RFC 8693 §2.1: `audience` names the target as `resource` does. @throws {OAuthError} invalid_target */
function withAudience(form: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const audience = form.get("audience");
  if (audience === undefined) return form;
  if ((form.get("resource") ?? audience) !== audience) {
    throw new OAuthError("invalid_target", "The parameters resource and audience differ.");
  }
  return new Map([...form, ["resource", audience]]);
}

function missing(name: string): OAuthError {
  return new OAuthError("invalid_request", `The parameter ${name} is missing.`);
}

function malformed(description: string, detail: string): OAuthError {
  return new OAuthError("invalid_request", description, { detail });
}

/** RFC 8693 §2.2.2. It reads the same whatever is wrong: it may be anybody's token. */
function badSubject(detail: string): OAuthError {
  return new OAuthError("invalid_request", "The subject_token cannot be exchanged.", { detail });
}
