/** The end of one credential of a client, a secret or a key, whatever its table: once, and with what it opened. */
import type { Database } from "@daykey/service/database/database";
import { changeAlone } from "../changes/changes-store.ts";
import { keepAnAdmin } from "../clients/admins-store.ts";
import { tellCredentialsEnded } from "../clients/credential-ended-store.ts";
import { hasClient, type Transaction } from "../clients/clients-store.ts";

/**
 * One that was revoked before is left alone. The client is locked as for adding one, so that live ones are
 * counted right.
 * @param statements.read its row, by client id and kid
 * @param statements.end revokes it, and answers the row
 * @param record comes last
 * @throws {ProblemError} 409 when nobody could administrate any more
 */
export async function revokeCredential<Row extends { revoked_at: number | null }>(
  database: Database,
  {
    clientId,
    kid,
    issuer,
    newsSeconds,
    statements,
  }: {
    clientId: string;
    kid: string;
    issuer: string;
    newsSeconds: number;
    statements: { read: string; end: string };
  },
  record: (tx: Transaction, before: Row, after: Row) => Promise<void>,
): Promise<"revoked" | "unknown"> {
  const values = [clientId, kid];
  return changeAlone(database, async (tx) => {
    if (!(await hasClient(tx, clientId, "for update"))) return "unknown";
    const { rows } = await tx.query<Row>({ text: statements.read, values });
    const [before] = rows;
    if (!before) return "unknown";
    if (before.revoked_at !== null) return "revoked";
    const { rows: ended } = await keepAnAdmin(tx, { issuer, clientId }, async () =>
      tx.query<Row>({ text: statements.end, values }),
    );
    await tellCredentialsEnded(tx, [{ clientId, kid }], newsSeconds);
    await record(tx, before, ended[0] ?? before);
    return "revoked";
  });
}
