/**
 * What the audit log is told of changes that no admin asked for: `npm start`, `migrate` of
 * docker-compose.yml, a server that makes the first admin, and `recover-admin`.
 */
import { formatInstant } from "@daykey/common/clock";
import type { ClientRegistration } from "../clients/client.ts";
import type { Transaction } from "../clients/clients-store.ts";
import type { StoredSecret } from "../clients/verifiers.ts";

/** Holds no secret. */
export interface SetUpFacts {
  readonly [name: string]: string | null | readonly string[] | { readonly [name: string]: string };
}

/** `target` and facts are as in the audit log. */
export interface SetUpEvent {
  action:
    | "client.create"
    | "client.change"
    | "secret.add"
    | "secret.revoke"
    | "resource.create"
    | "resource.change";
  target: string;
  before: SetUpFacts | null;
  after: SetUpFacts | null;
}

/** Adds a row, in the transaction of the change; nothing may be written after it there. */
export type RecordSetUp = (tx: Transaction, event: SetUpEvent) => Promise<void>;

/** The facts about a client that was made with a secret. */
export function registrationFacts(
  { name, authMethods, grantTypes, scopes, resources }: ClientRegistration,
  secret: StoredSecret,
): SetUpFacts {
  const facts = { name, auth_methods: authMethods, grant_types: grantTypes, scopes, resources };
  return { ...facts, secret: secretFacts(secret) };
}

export function secretFacts({
  kid,
  kind,
  expiresAt,
}: Pick<StoredSecret, "kid" | "kind" | "expiresAt">) {
  return { kid, kind, expires_at: formatInstant(expiresAt) };
}
