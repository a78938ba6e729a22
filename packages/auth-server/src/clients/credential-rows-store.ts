/** What the stores of secrets and of registered keys share: both are credentials of a client. */
import type { Queryable } from "@daykey/service/database/database";

/** Whether the client exists; `for update` also keeps other changes to it out until the end. */
export async function hasClient(
  queryable: Queryable,
  clientId: string,
  lock: "" | "for update" = "",
): Promise<boolean> {
  const { rowCount } = await queryable.query({
    text: `select from daykey.clients where client_id = $1 and deleted_at is null ${lock}`,
    values: [clientId],
  });
  return rowCount > 0;
}

/** The news that a credential was revoked, in the transaction that does it (docs/protocol.md §3). */
export async function tellCredentialRevoked(
  tx: Queryable,
  { clientId, kid, newsSeconds }: { clientId: string; kid: string; newsSeconds: number },
): Promise<void> {
  await tx.query({
    text: `insert into daykey.revocations (kind, subject, expires_at)
           values ('credential', $1, now() + make_interval(secs => $2))
           on conflict (kind, subject) do nothing`,
    values: [`${clientId} ${kid}`, newsSeconds],
  });
}
