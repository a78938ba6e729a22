/** The audit log, which says on the server's log when a change meets damage. */
import type { Ground } from "../ground.ts";
import {
  type AuditStore,
  createAuditStore,
  type HeadSealer,
  type OnDamage,
} from "./audit-store.ts";

/** Seals a head that is sealed by the master key before this one anew. */
export async function composeAudit({
  database,
  log,
  sealer,
  countDamage,
}: Pick<Ground, "database" | "log"> & {
  sealer: HeadSealer;
  countDamage: OnDamage;
}): Promise<AuditStore> {
  const audit = createAuditStore(database, sealer, (facts) => {
    countDamage(facts);
    log.error({ event: "audit_log_damaged", ...facts }, "a change met a damaged audit log");
  });
  await audit.reseal();
  return audit;
}
