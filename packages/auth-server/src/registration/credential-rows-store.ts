/** What the stores of secrets and of registered keys share: both are credentials of a client. */
import type { Queryable } from "@daykey/service/database/database";

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
