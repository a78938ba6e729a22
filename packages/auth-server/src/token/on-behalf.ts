/**
 * Tokens on behalf of others: whose they are, who may act for them, and what comes of it. A new token can
 * never do more than the one it came from, nor live longer, and it names the grants above it: whatever ends
 * one of those ends it too. Nothing is written.
 */
import { MAX_ANCESTORS, type AccessTokenClaims, type Ancestor } from "@daykey/common/access-token";
import type { Clock } from "@daykey/common/clock";
import type { JsonObject, JsonValue } from "@daykey/common/json-numbers";
import type { OAuthError } from "@daykey/common/oauth-error";
import { intersection } from "@daykey/common/scope";
import type { JwtAssertion } from "../authentication/client-assertion.ts";
import type { Nonce, ReplayStore } from "../authentication/replay-store.ts";
import type { WorkloadDoor, Workloads } from "../authentication/workload.ts";
import type { Client } from "../clients/client.ts";
import type { ClientCache } from "../clients/client-cache.ts";
import { mayExchange } from "../clients/exchange-rights.ts";
import type { WriteLimit } from "../clients/write-limits.ts";
import type { ResourceDirectory } from "../resources/resource-directory.ts";
import type { AuthenticatedRequest, Authorization } from "./grant-type.ts";
import { uuidv7 } from "./random-ids.ts";
import { chooseResourceAndScope } from "./resource-and-scope.ts";

/** A genuine access token of this server, and the key that signed it. */
interface GenuineToken {
  claims: Readonly<AccessTokenClaims>;
  kid: string | undefined;
}

/** How this server's own tokens are judged, wherever it meets them. */
export interface OwnTokens {
  readAccessToken: (token: string) => GenuineToken | undefined;
  /** The claims as of now, or why the token is dead, as a reason for the log. */
  readRights: (token: GenuineToken) => Promise<Readonly<AccessTokenClaims> | string>;
}

/** On whose behalf a token will be, as of now. */
export interface Subject extends Pick<AccessTokenClaims, "sub" | "act" | "workload" | "ext"> {
  scope: readonly string[];
  resources: readonly string[];
  /** The client that it is, whose rights now, at the new token's resource, bound that too. */
  client: Pick<Client, "scopes" | "resourceScopes">;
  /** The resource that its token is for; undefined for an issuer's assertion, which is for this server. */
  audience: string | undefined;
  /** Epoch seconds. */
  expiresAt: number;
  /** Root first, its own grant last. */
  above: readonly Ancestor[];
  /** For the log. */
  grant: string;
  /** The key it is bound to. */
  cnf: AccessTokenClaims["cnf"];
  /** The client that it was issued to. */
  holder: string | undefined;
  /** To be used up; undefined for what is good more than once. */
  nonce: Nonce | undefined;
}

/** The error for a subject that counts for nothing; the reason is for the log. */
export type Refuse = (reason: string) => OAuthError;

export interface OnBehalfOf {
  /** What the subject's own client still has, wherever it is. @throws {OAuthError} */
  ofToken(token: GenuineToken, refuse: Refuse): Promise<Subject>;
  /**
   * The client that a rule of trust makes of an assertion. It opens the grant at the root of the tree. With
   * `may_act` it is for the client that this names, with `cnf` for a request that proves that key.
   * @throws {OAuthError}; as `Workloads.admit`
   */
  ofAssertion(
    assertion: JwtAssertion | undefined,
    door: WorkloadDoor,
    request: AuthenticatedRequest,
    refuse: Refuse,
  ): Promise<Subject>;
  /**
   * What a client gets to act for a subject.
   * @param wanted has `resource` and `scope`
   * @throws {OAuthError} unauthorized_client, invalid_target, invalid_scope, or what `refuse` makes
   */
  act(
    request: AuthenticatedRequest,
    subject: Subject,
    wanted: ReadonlyMap<string, string>,
    refuse: Refuse,
  ): Authorization;
}

export function createOnBehalfOf({
  readRights,
  workloads,
  replays,
  limitNonces,
  cache,
  directory,
  issuer,
  clock,
}: Pick<OwnTokens, "readRights"> & {
  workloads: Pick<Workloads, "admit" | "resourcesOf">;
  replays: Pick<ReplayStore, "use">;
  limitNonces: WriteLimit;
  cache: ClientCache;
  directory: ResourceDirectory;
  issuer: string;
  clock: Clock;
}): OnBehalfOf {
  const ofToken: OnBehalfOf["ofToken"] = async (token, refuse) => {
    const rights = await readRights(token);
    if (typeof rights === "string") throw refuse(rights);
    const { client } = await cache.find(rights.sub);
    if (!client) throw refuse("no_rights");
    const { sub, act, workload, ext, gid, client_id, cred, ep, anc = [] } = rights;
    const { kid } = token;
    const own: Ancestor = { gid, client_id, cred, ep, ...(kid !== undefined && { kid }) };
    // A rule of trust, and an issuer, may have let the subject go less far than its client.
    const [root = own] = anc;
    const ofRule = workloads.resourcesOf(root.client_id, root.cred);
    const limits = [ofRule, root.resources].filter((limit) => limit !== undefined);
    return {
      sub,
      ...(act && { act }),
      ...(workload && { workload }),
      ...(ext && { ext }),
      scope: rights.scope.split(" "),
      client,
      resources: limits.reduce(intersection, [...client.resources]),
      audience: rights.aud,
      expiresAt: rights.exp,
      above: [...anc, own],
      grant: gid,
      cnf: rights.cnf,
      holder: client_id,
      nonce: undefined,
    };
  };

  const ofAssertion: OnBehalfOf["ofAssertion"] = async (assertion, door, request, refuse) => {
    const { client: actor, confirmation, note } = request;
    const { may_act: mayAct, cnf } = assertion?.claims ?? {};
    if (mayAct !== undefined && !names(mayAct, { clientId: actor.clientId, issuer })) {
      throw refuse("may_act");
    }
    if (cnf !== undefined && !isKey(cnf, confirmation?.jkt)) throw refuse("assertion_key");
    const admitted = await workloads.admit(
      { via: "workload", door, clientId: undefined, assertion },
      note,
    );
    if ("reason" in admitted) throw refuse(admitted.reason);
    const { client, cred, scopes, resources, workload, ext, nonce } = admitted;
    const { accessTokenSeconds = Infinity } = admitted;
    const now = clock();
    const expiresAt = Math.floor(Math.min(assertion?.expiresAt ?? now, now + accessTokenSeconds));
    // Its end has no leeway here, as nothing that comes of it lives longer.
    if (expiresAt <= now) throw refuse("assertion_expired");
    const gid = uuidv7(now);
    return {
      sub: client.clientId,
      workload,
      ...(ext && { ext }),
      scope: scopes,
      client,
      resources,
      audience: undefined,
      expiresAt,
      above: [{ gid, client_id: client.clientId, cred, ep: client.epoch }],
      grant: gid,
      cnf: undefined,
      holder: undefined,
      nonce,
    };
  };

  /**
   * By the client's registration. A bound token was stolen unless it is brought by who can have it: its
   * holder, or the resource that saw its proof. What comes of one is bound too.
   */
  function requirePermission(
    { client, confirmation }: AuthenticatedRequest,
    subject: Subject,
    refuse: Refuse,
  ): void {
    if (!client.exchange || !mayExchange(client.exchange, subject)) {
      throw refuse("exchange_not_permitted");
    }
    const { cnf, audience = "", holder } = subject;
    if (!cnf) return;
    const isOwner = directory.find(audience)?.ownerClientId === client.clientId;
    if (!confirmation || !(isOwner || holder === client.clientId)) {
      throw refuse("bound_subject_token");
    }
  }

  const act: OnBehalfOf["act"] = (request, subject, wanted, refuse) => {
    const { client, note } = request;
    const { sub, act: before, workload, ext, above, expiresAt, nonce } = subject;
    note({ subjectGrant: subject.grant, onBehalfOf: sub });
    requirePermission(request, subject, refuse);
    if (above.length > MAX_ANCESTORS) throw refuse("exchange_too_deep");
    const allowance = {
      scope: intersection(subject.scope, client.exchange?.scopes ?? client.scopes),
      resources: client.resources.filter((uri) => subject.resources.includes(uri)),
      subject: subject.client,
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
        expiresAt,
      },
      resource,
      scope,
      refresh: undefined,
      ...(nonce && {
        async useUp() {
          await limitNonces(client.clientId);
          if (!(await replays.use(nonce))) throw refuse("replayed");
        },
      }),
      onBehalf: {
        sub,
        ...(workload && { workload }),
        ...(ext && { ext }),
        notAfter: expiresAt,
        anc: above,
        ...(client.exchange?.impersonation !== true && {
          act: { sub: client.clientId, ...(before && { act: before }) },
        }),
      },
    };
  };

  return { ofToken, ofAssertion, act };
}

/** Whether a `may_act` (RFC 8693 §4.4) names this client. Beside `iss`, `sub` is one of that issuer's names. */
function names(
  mayAct: JsonValue,
  { clientId, issuer }: { clientId: string; issuer: string },
): boolean {
  if (typeof mayAct !== "object" || mayAct === null) return false;
  const { iss = issuer, sub } = mayAct as JsonObject;
  return iss === issuer && sub === clientId;
}

/** Whether a `cnf` (RFC 7800) asks for this key of a DPoP proof, and for nothing else. */
function isKey(cnf: JsonValue, jkt: string | undefined): boolean {
  if (typeof cnf !== "object" || cnf === null || jkt === undefined) return false;
  return (cnf as JsonObject)["jkt"] === jkt && Object.keys(cnf).length === 1;
}
