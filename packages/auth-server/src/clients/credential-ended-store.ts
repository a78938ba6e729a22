/** The news that credentials ended: secrets, registered keys, and rules of trust. */
import type { Queryable } from "@daykey/service/database/database";
import { writeEntries } from "../changes/revocation-entries-store.ts";

/** What opened grants of a client: a credential's kid, or a rule's `cred`. */
export interface EndedCredential {
  clientId: string;
  kid: string;
}

/** Tells that credentials ended, in the transaction that ends them (docs/protocol.md §3). */
export async function tellCredentialsEnded(
  tx: Queryable,
  credentials: readonly EndedCredential[],
  newsSeconds: number,
): Promise<void> {
  await tx.query({
    text: writeEntries({
      kind: "credential",
      subject: "subject",
      expiresAt: "now() + make_interval(secs => $2)",
      from: "from unnest($1::text[]) as ended (subject) order by subject",
      repeated: "keep",
    }),
    values: [credentials.map(({ clientId, kid }) => `${clientId} ${kid}`), newsSeconds],
  });
}
