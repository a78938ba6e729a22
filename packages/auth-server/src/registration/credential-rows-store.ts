/** What the stores of secrets and of registered keys share: both are credentials of a client. */
import type { Queryable } from "@daykey/service/database/database";
import { writeEntries } from "../changes/revocation-entries-store.ts";

/** The news that a credential was revoked, in the transaction that does it (docs/protocol.md §3). */
export async function tellCredentialRevoked(
  tx: Queryable,
  { clientId, kid, newsSeconds }: { clientId: string; kid: string; newsSeconds: number },
): Promise<void> {
  await tx.query({
    text: writeEntries({
      kind: "credential",
      subject: "$1",
      expiresAt: "now() + make_interval(secs => $2)",
      repeated: "keep",
    }),
    values: [`${clientId} ${kid}`, newsSeconds],
  });
}
