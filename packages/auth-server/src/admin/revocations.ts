/** `/revocations`: what local validators are told now, and an operator's end of a grant. */
import { z } from "zod";
import { formatInstant } from "@daykey/common/clock";
import { type Revocation, REVOCATION_KINDS } from "@daykey/common/revocation";
import type { GrantsStore } from "../grants/grants-store.ts";
import type { RevocationsStore } from "../revocation/revocations-store.ts";
import type { Recorder } from "./recorder.ts";
import { route, type Route } from "./route.ts";
import { instant, listOf } from "./schema-parts.ts";

const tag = "revocations";

export const revocationView = z.strictObject({
  kind: z.enum(REVOCATION_KINDS),
  /** A grant's id, a client id, `<client id> <kid>`, the kid of a signing key, or `urn:daykey:issuer`. */
  subject: z.string(),
  /** For a client, or for the issuer and so all clients: tokens with a lower epoch are dead. */
  epoch: z.int().min(0).nullable(),
  /** Null: never dropped. */
  expires_at: instant.nullable(),
});

export const revocationList = listOf(revocationView);

export const grantRevocation = z.strictObject({
  /** The `gid` of its tokens. */
  grant: z
    .string()
    .regex(
      /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
      "must be the gid of its tokens, a UUID",
    ),
});

export const grantEnd = z.strictObject({
  grant: z.string(),
  /**
   * `unseen`: no row tells of it, as none of its refresh tokens was used yet, or as there is no such grant;
   * its tokens are refused from now on.
   */
  state: z.enum(["ended", "ended_before", "unseen"]),
});

export function createRevocationRoutes({
  revocations,
  grants,
  longestGrantSeconds,
  recorder,
}: {
  revocations: RevocationsStore;
  grants: GrantsStore;
  longestGrantSeconds: number;
  recorder: Recorder;
}): Route[] {
  return [
    route({
      method: "get",
      path: "/revocations",
      operationId: "listRevocations",
      tag,
      summary: "All revocations that resource servers enforce now",
      status: 200,
      answer: revocationList,
      async handle() {
        const live: Revocation[] = [];
        for await (const page of revocations.live()) live.push(...page);
        const items = live.map(({ kind, subject, epoch, expiresAt }) => ({
          kind,
          subject,
          epoch: epoch ?? null,
          expires_at: expiresAt === undefined ? null : formatInstant(expiresAt),
        }));
        return { body: { items } };
      },
    }),

    route({
      method: "post",
      path: "/revocations",
      operationId: "revokeGrant",
      tag,
      summary: "End a grant by its id",
      body: grantRevocation,
      status: 200,
      answer: grantEnd,
      async handle({ actor, body: { grant } }) {
        const record = recorder({ actor, action: "grant.revoke", target: grant });
        const state = await grants.end(
          { grantId: grant, lifeSeconds: longestGrantSeconds },
          async (tx) => record(tx, null, { grant }),
        );
        return { body: { grant, state } };
      },
    }),
  ];
}
