/**
 * What a token is and whether it is good, for an operator who has it in hand: grant by grant, from the root
 * of its tree to its own, and what ended each. Nothing is used up or logged.
 */
import type { AccessTokenClaims, Ancestor } from "@daykey/common/access-token";
import type { RevocationKind } from "@daykey/common/revocation";
import type { ClientCache } from "../clients/client-cache.ts";
import type { LiveSet } from "../revocation/live-set.ts";
import type { AccessTokenReader } from "./access-token-reader.ts";
import { openerOf, type ReadRights, type RuleCredentials } from "./liveness.ts";

export interface ExplainedToken {
  /** Why it is refused, as a reason of the log; undefined for a token that is good. */
  refused: string | undefined;
  /** As it was issued; undefined for what this server did not issue. */
  claims: Readonly<AccessTokenClaims> | undefined;
  /** Root first, the token's own last. */
  grants: readonly (Ancestor & { ended: RevocationKind | undefined })[];
}

/** @throws as `ReadRights` */
export type ExplainToken = (token: string) => Promise<ExplainedToken>;

export function createExplainToken({
  readAccessToken,
  readRights,
  cache,
  rules,
  liveSet,
}: {
  readAccessToken: AccessTokenReader;
  readRights: ReadRights;
  cache: ClientCache;
  rules: RuleCredentials;
  liveSet: LiveSet;
}): ExplainToken {
  async function endOf(grant: Ancestor): Promise<RevocationKind | undefined> {
    const opener = await openerOf(grant, { cache, rules });
    const known = liveSet.current().endOf(grant, grant.kid);
    return known ?? (typeof opener === "object" ? undefined : opener);
  }

  return async (token) => {
    const read = readAccessToken(token);
    if (!read) return { refused: "not_our_token", claims: undefined, grants: [] };
    const { claims, kid } = read;
    const rights = await readRights(read);
    // As introspection says: a token that no scope is left to opens nothing.
    const scopeless = typeof rights === "object" && rights.scope === "" ? "no_rights" : undefined;
    const { gid, client_id, cred, ep, anc = [] } = claims;
    const own: Ancestor = { gid, client_id, cred, ep, ...(kid !== undefined && { kid }) };
    return {
      refused: typeof rights === "string" ? rights : scopeless,
      claims,
      grants: await Promise.all(
        [...anc, own].map(async (grant) => ({ ...grant, ended: await endOf(grant) })),
      ),
    };
  };
}
