/** `/tokens/explain`: what a token is, and which of the grants that it stands on has ended. */
import { z } from "zod";
import { actorsOf } from "@daykey/common/access-token";
import { formatInstant } from "@daykey/common/clock";
import { MAX_ACCESS_TOKEN_LENGTH } from "@daykey/common/protocol";
import { REVOCATION_KINDS } from "@daykey/common/revocation";
import type { ExplainToken } from "../issuer-access/explain-token.ts";
import { route, type Route } from "./route.ts";
import { instant } from "./schema-parts.ts";

export const tokenToExplain = z.strictObject({
  token: z.string().min(1).max(MAX_ACCESS_TOKEN_LENGTH),
});

export const tokenExplanation = z.strictObject({
  active: z.boolean(),
  /** Why it is refused, as a reason of the log. */
  refused: z.string().nullable(),
  /** As it was issued; null for what this server did not issue. */
  token: z
    .strictObject({
      client_id: z.string(),
      /** On whose behalf it is: the client itself, or another. */
      subject: z.string(),
      /** Who acts, the one that acts now first; empty where nobody is named. */
      actors: z.array(z.string()),
      resource: z.string(),
      scope: z.string(),
      issued_at: instant,
      expires_at: instant,
    })
    .nullable(),
  /** From the root of the tree to the token's own. */
  grants: z.array(
    z.strictObject({
      grant: z.string(),
      client_id: z.string(),
      /** The kid of the secret or key that opened it, or the rule of trust that did. */
      credential: z.string(),
      /** What ended it; null: it is live. */
      ended: z.enum(REVOCATION_KINDS).nullable(),
    }),
  ),
});

export function createTokenRoutes({ explainToken }: { explainToken: ExplainToken }): Route[] {
  return [
    route({
      method: "post",
      path: "/tokens/explain",
      operationId: "explainToken",
      tag: "revocations",
      summary: "What an access token is, and which of its grants has ended",
      body: tokenToExplain,
      status: 200,
      answer: tokenExplanation,
      async handle({ body: { token } }) {
        const { refused, claims, grants } = await explainToken(token);
        return {
          body: {
            active: refused === undefined,
            refused: refused ?? null,
            token: claims
              ? {
                  client_id: claims.client_id,
                  subject: claims.sub,
                  actors: actorsOf(claims.act),
                  resource: claims.aud,
                  scope: claims.scope,
                  issued_at: formatInstant(claims.iat),
                  expires_at: formatInstant(claims.exp),
                }
              : null,
            grants: grants.map(({ gid, client_id, cred, ended }) => ({
              grant: gid,
              client_id,
              credential: cred,
              ended: ended ?? null,
            })),
          },
        };
      },
    }),
  ];
}
