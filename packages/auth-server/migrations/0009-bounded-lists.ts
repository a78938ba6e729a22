import type { Knex } from "knex";

/**
 * The orders that lists are read in page by page: entries of the audit log by time, of one actor, action or
 * client too, and secrets by their end. The client of an entry is the first word of its target. Made beside
 * writers, and anew where an attempt before was cut off and left an index that is not valid.
 *
 * The indexes of one actor, action and client have the time in UTC. For the planner that is another order
 * than that of `audit_log_by_time`, so that it cannot walk that one, past all that others did, for what it
 * takes to be frequent.
 */
const INDEXES = {
  audit_log_by_time: "daykey.audit_log (at, seq)",
  audit_log_by_actor: "daykey.audit_log (actor, (at at time zone 'UTC'), seq)",
  audit_log_by_action: "daykey.audit_log (action, (at at time zone 'UTC'), seq)",
  audit_log_by_client:
    "daykey.audit_log (split_part(target, ' ', 1), (at at time zone 'UTC'), seq)",
  secrets_by_end: "daykey.secrets (expires_at, client_id, kid) where revoked_at is null",
};

export const boundedLists = {
  name: "0009-bounded-lists",
  withoutTransaction: true,
  async up(knex: Knex): Promise<void> {
    for (const [name, on] of Object.entries(INDEXES)) {
      await knex.raw(`drop index concurrently if exists daykey.${name}`);
      await knex.raw(`create index concurrently ${name} on ${on}`);
    }
  },
};
