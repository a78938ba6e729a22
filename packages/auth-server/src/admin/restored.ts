/** `/restored`: the operator's word that the database is a backup, which has forgotten its newest changes. */
import { z } from "zod";
import { formatInstant } from "@daykey/common/clock";
import type { RestoreStore } from "../revocation/restore-store.ts";
import type { Recorder } from "./recorder.ts";
import { route, type Route } from "./route.ts";
import { instant } from "./schema-parts.ts";

export const restorationView = z.strictObject({
  /** How many clients need new tokens. */
  clients: z.int().min(0),
  restored_at: instant,
});

export function createRestoreRoutes({
  restorations,
  recorder,
}: {
  restorations: RestoreStore;
  recorder: Recorder;
}): Route[] {
  return [
    route({
      method: "post",
      path: "/restored",
      operationId: "markRestored",
      tag: "revocations",
      summary: "After a restore from a backup: end every token and one-time hash from before it",
      status: 200,
      answer: restorationView,
      async handle({ actor }) {
        const record = recorder({ actor, action: "database.restored", target: "database" });
        const { clients, restoredAt } = await restorations.markRestored(async (tx, restoration) =>
          record(tx, null, { clients: restoration.clients }),
        );
        return { body: { clients, restored_at: formatInstant(restoredAt) } };
      },
    }),
  ];
}
