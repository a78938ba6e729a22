/**
 * Token exchange (RFC 8693): a client gets a token of its own for a token that it was brought, to act on
 * behalf of that token's subject. The new token can never do more than the one it came from, nor live
 * longer, and it names the grants above it: whatever ends one of those ends it too. Nothing is written.
 */
import { MAX_ANCESTORS, type AccessTokenClaims, type Ancestor } from "@daykey/common/access-token";
import type { Clock } from "@daykey/common/clock";
import { OAuthError } from "@daykey/common/oauth-error";
import { TOKEN_TYPES } from "@daykey/common/protocol";
import { intersection } from "@daykey/common/scope";
import type { JwtAssertion } from "../authentication/client-assertion.ts";
import type { ReplayStore } from "../authentication/replay-store.ts";
import type { Workloads } from "../authentication/workload.ts";
import type { ClientCache } from "../clients/client-cache.ts";
import { mayExchange } from "../clients/exchange-rights.ts";
import type { ResourceDirectory } from "../resources/resource-directory.ts";
import type { Authorize, AuthenticatedRequest } from "./grant-type.ts";
import { uuidv7 } from "./random-ids.ts";
import { chooseResourceAndScope } from "./resource-and-scope.ts";

/** A genuine access token of this server, and the key that signed it. */
interface GenuineToken {
  claims: Readonly<AccessTokenClaims>;
  kid: string | undefined;
}

/** Whose token is exchanged, as of now. */
interface Subject {
  sub: string;
  scope: readonly string[];
  /** The resource that its token is for; undefined for an issuer's assertion, which is for this server. */
  audience: string | undefined;
  resources: readonly string[];
  /** Epoch seconds. */
  expiresAt: number;
  act: AccessTokenClaims["act"];
  workload: AccessTokenClaims["workload"];
  /** Claims for services, which say something of the subject and nothing of who acts. */
  ext: AccessTokenClaims["ext"];
  /** Root first, its own grant last. */
  above: readonly Ancestor[];
  /** For the log. */
  grant: string;
  /** The key it is bound to. */
  cnf: AccessTokenClaims["cnf"];
  /** The client that it was issued to. */
  holder: string | undefined;
}

/** What an exchange asks others. */
export interface TokenExchange {
  readAccessToken: (token: string) => GenuineToken | undefined;
  /** The claims as of now, or why the token is dead, as a reason for the log. */
  readRights: (token: GenuineToken) => Promise<Readonly<AccessTokenClaims> | string>;
  parseAssertion: (text: string) => JwtAssertion | undefined;
  workloads: Pick<Workloads, "admit">;
  replays: Pick<ReplayStore, "use">;
  cache: ClientCache;
  directory: ResourceDirectory;
  clock: Clock;
}

export function createTokenExchange({
  readAccessToken,
  readRights,
  parseAssertion,
  workloads,
  replays,
  cache,
  directory,
  clock,
}: TokenExchange): Authorize {
  /** What the subject's own client still has, wherever it is. */
  async function subjectOfToken(token: GenuineToken): Promise<Subject> {
    const rights = await readRights(token);
    if (typeof rights === "string") throw badSubject(rights);
    const { client } = await cache.find(rights.sub);
    if (!client) throw badSubject("no_rights");
    const { gid, client_id, cred, ep, anc = [] } = rights;
    const own: Ancestor = {
      gid,
      client_id,
      cred,
      ep,
      ...(token.kid !== undefined && { kid: token.kid }),
    };
    return {
      sub: rights.sub,
      scope: intersection(rights.scope.split(" "), client.scopes),
      audience: rights.aud,
      resources: client.resources,
      expiresAt: rights.exp,
      act: rights.act,
      workload: rights.workload,
      ext: rights.ext,
      above: [...anc, own],
      grant: gid,
      cnf: rights.cnf,
      holder: client_id,
    };
  }

  /** A trusted issuer's assertion opens a grant of the client that a rule makes of it, the root of the tree. */
  async function subjectOfAssertion(
    text: string,
    { client: actor, note }: AuthenticatedRequest,
  ): Promise<Subject> {
    const assertion = parseAssertion(text);
    const credential = { via: "workload", door: "grant", clientId: undefined, assertion } as const;
    const admitted = await workloads.admit(credential, note);
    if ("reason" in admitted) throw badSubject(admitted.reason);
    const mayAct = assertion?.claims["may_act"];
    if (mayAct !== undefined && !names(mayAct, actor.clientId)) throw badSubject("may_act");
    const { client, cred, scopes, resources, workload, ext, nonce } = admitted;
    const { accessTokenSeconds = Infinity } = admitted;
    if (nonce && !(await replays.use(nonce))) throw badSubject("replayed");
    const now = clock();
    const gid = uuidv7(now);
    return {
      sub: client.clientId,
      scope: scopes,
      audience: undefined,
      resources,
      expiresAt: Math.floor(Math.min(assertion?.expiresAt ?? now, now + accessTokenSeconds)),
      act: undefined,
      workload,
      ext,
      above: [{ gid, client_id: client.clientId, cred, ep: client.epoch }],
      grant: gid,
      cnf: undefined,
      holder: undefined,
    };
  }

  /** Who acts is the client that proves itself; a token can only say so again. @throws {OAuthError} */
  async function requireOwnToken(text: string, clientId: string): Promise<void> {
    const token = readAccessToken(text);
    const rights = token && (await readRights(token));
    if (typeof rights === "object" && rights.client_id === clientId) return;
    throw malformed("The actor_token is not an access token of this client.", "actor_token");
  }

  return async (request) => {
    const { client, form, note } = request;
    const { exchange } = client;
    if (!exchange) throw new OAuthError("unauthorized_client", "The client may exchange nothing.");
    const { text, type, actorToken } = readForm(form);
    if (actorToken !== undefined) await requireOwnToken(actorToken, client.clientId);
    const token = readAccessToken(text);
    if (!token && type === TOKEN_TYPES.accessToken) throw badSubject("not_our_token");
    const subject = await (token ? subjectOfToken(token) : subjectOfAssertion(text, request));
    note({ subjectGrant: subject.grant, subject: subject.sub });
    requirePermission(request, subject, directory);
    if (subject.above.length > MAX_ANCESTORS) throw badSubject("exchange_too_deep");

    const wanted = withAudience(form);
    const most = exchange.scopes ?? client.scopes;
    const allowance = {
      scope: intersection(subject.scope, most),
      resources: client.resources.filter((uri) => subject.resources.includes(uri)),
    };
    const { resource, scope } = chooseResourceAndScope(wanted, client, allowance, directory);
    return {
      client,
      grant: {
        id: uuidv7(clock()),
        clientId: client.clientId,
        epoch: client.epoch,
        credential: client.credential,
        scope,
        resources: [resource],
        expiresAt: subject.expiresAt,
      },
      resource,
      scope,
      refresh: undefined,
      onBehalf: {
        sub: subject.sub,
        ...(subject.workload && { workload: subject.workload }),
        ...(subject.ext && { ext: subject.ext }),
        notAfter: subject.expiresAt,
        anc: subject.above,
        ...(!exchange.impersonation && {
          act: { sub: client.clientId, ...(subject.act && { act: subject.act }) },
        }),
      },
    };
  };
}

/** @throws {OAuthError} invalid_request */
function readForm(form: ReadonlyMap<string, string>): {
  text: string;
  type: string;
  actorToken: string | undefined;
} {
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

/**
 * Who may act for whom: by the client's registration. A bound token was stolen unless it is brought by who can
 * have it: its holder, or the resource that saw its proof. What comes of one is bound too.
 */
function requirePermission(
  { client, isBound }: AuthenticatedRequest,
  subject: Subject,
  directory: ResourceDirectory,
): void {
  if (!client.exchange || !mayExchange(client.exchange, subject)) {
    throw badSubject("exchange_not_permitted");
  }
  const { cnf, audience = "", holder } = subject;
  if (!cnf) return;
  const isOwner = directory.find(audience)?.ownerClientId === client.clientId;
  if (!isBound || !(isOwner || holder === client.clientId)) throw badSubject("bound_subject_token");
}

/** RFC 8693 §2.1: `audience` names the target as `resource` does. @throws {OAuthError} invalid_target */
function withAudience(form: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const audience = form.get("audience");
  if (audience === undefined) return form;
  if ((form.get("resource") ?? audience) !== audience) {
    throw new OAuthError("invalid_target", "The parameters resource and audience differ.");
  }
  return new Map([...form, ["resource", audience]]);
}

/** Whether a `may_act` (RFC 8693 §4.4) names this client. */
function names(mayAct: unknown, clientId: string): boolean {
  return (
    typeof mayAct === "object" && mayAct !== null && (mayAct as { sub?: unknown }).sub === clientId
  );
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
