/** `/keys`: the server's own keys, never the keys themselves. */
import { z } from "zod";
import { formatInstant } from "@daykey/common/clock";
import { problem } from "@daykey/service/http/problem-error";
import type { KeyChanges, ListedKey } from "../keys/key-changes.ts";
import type { Recorder } from "./recorder.ts";
import { PARAMETERS, route, type Route } from "./route.ts";
import { instant, listOf } from "./schema-parts.ts";

const tag = "keys";

export const signingKeyView = z.strictObject({
  kid: PARAMETERS.kid,
  algorithm: z.string(),
  purpose: z.string(),
  created_at: instant,
  /** Its first use. */
  active_at: instant,
  state: z.enum(["next", "current", "retired"]),
});

export const signingKeyList = listOf(signingKeyView);

export const rotation = z.strictObject({
  /** From now to the new key's first use; the server's overlap when left out. */
  active_in_seconds: z
    .int()
    .min(0)
    .max(30 * 86_400)
    .optional(),
});

export function createSigningKeyRoutes({
  keys,
  aheadSeconds,
  recorder,
}: {
  keys: KeyChanges;
  /** How long a key is published before its first use, unless asked otherwise. */
  aheadSeconds: number;
  recorder: Recorder;
}): Route[] {
  return [
    route({
      method: "get",
      path: "/keys",
      operationId: "listKeys",
      tag,
      summary: "The server's keys, in the order of their first use",
      status: 200,
      answer: signingKeyList,
      handle: async () => ({ body: { items: (await keys.list()).map(viewOf) } }),
    }),

    route({
      method: "post",
      path: "/keys/rotate",
      operationId: "rotateKeys",
      tag,
      summary: "Make the next signing key of access tokens now, rather than on schedule",
      body: rotation,
      bodyOptional: true,
      status: 201,
      answer: signingKeyView,
      async handle({ actor, body }) {
        const made = await keys.addSigningKey({
          aheadSeconds: body.active_in_seconds ?? aheadSeconds,
          async record(tx, { kid, algorithm, activeAt }) {
            const record = recorder({ actor, action: "signing_key.add", target: kid });
            await record(tx, null, { kid, algorithm, active_at: formatInstant(activeAt) });
          },
        });
        return { body: viewOf(made) };
      },
    }),

    route({
      method: "post",
      path: "/keys/{kid}/revoke",
      operationId: "revokeKey",
      tag,
      summary: "Take a key away at once: nothing it made is accepted any more",
      status: 204,
      problems: [404],
      async handle({ actor, params: { kid } }) {
        const record = recorder({ actor, action: "signing_key.revoke", target: kid });
        const outcome = await keys.revoke(kid, async (tx, { purpose, algorithm }) =>
          record(tx, { kid, purpose, algorithm }, null),
        );
        if (outcome === "unknown") {
          throw problem("unknown-key");
        }
        return {};
      },
    }),
  ];
}

function viewOf({ kid, algorithm, purpose, createdAt, activeAt, state }: ListedKey) {
  return {
    kid,
    algorithm,
    purpose,
    created_at: formatInstant(createdAt),
    active_at: formatInstant(activeAt),
    state,
  };
}
