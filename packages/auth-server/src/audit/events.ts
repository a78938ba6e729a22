/** What the audit log tells: who did what to what, and how it was before and after. */

/** `<kind of target>.<what was done>`. */
export const AUDIT_ACTIONS = [
  "client.create",
  "client.change",
  "client.disable",
  "client.enable",
  "client.revoke_tokens",
  "client.delete",
  "secret.add",
  "secret.revoke",
  "client_key.add",
  "client_key.revoke",
  "api_key.create",
  "api_key.rotate",
  "api_key.revoke",
  "signature_key.create",
  "signature_key.rotate",
  "signature_key.revoke",
  "resource.create",
  "resource.change",
  "resource.delete",
  "trusted_issuer.create",
  "trusted_issuer.change",
  "trusted_issuer.disable",
  "trusted_issuer.delete",
  "trust_rule.create",
  "trust_rule.change",
  "trust_rule.disable",
  "trust_rule.delete",
  "label.set",
  "signing_key.add",
  "signing_key.revoke",
  "grant.revoke",
  "database.restored",
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** Those that end access: they are carried out and recorded on a damaged log too. */
export const ENDING_ACTIONS: ReadonlySet<AuditAction> = new Set([
  "client.disable",
  "client.revoke_tokens",
  "client.delete",
  "secret.revoke",
  "client_key.revoke",
  "api_key.revoke",
  "signature_key.revoke",
  "trusted_issuer.disable",
  "trusted_issuer.delete",
  "trust_rule.disable",
  "trust_rule.delete",
  "signing_key.revoke",
  "grant.revoke",
  "database.restored",
]);
/** A JSON value of text, whole numbers, booleans and null. */
export type AuditFact =
  | string
  | number
  | boolean
  | null
  | readonly AuditFact[]
  | { readonly [name: string]: AuditFact };

/** What a thing is like; null where there is none. */
export type AuditFacts = { readonly [name: string]: AuditFact } | null;

export interface AuditEvent {
  /** The client whose token was presented; `(recovery)` where `recover-admin` did it, `(set-up)` where a set-up did, `(server)` where a limit did. */
  actor: string;
  action: AuditAction;
  /** A client id, `<client id> <kid>`, `<client id> <id of an access key>`, a resource's URI, the name of a trusted issuer or a rule, the kid of a signing key, a grant's id, or `database`. */
  target: string;
  /** Never a secret, a root, a day key or a verifier. */
  before: AuditFacts;
  after: AuditFacts;
}

/** All tokens of a client were ended, because it had more live revocations of its own than this limit. */
export function endByLimit(end: { clientId: string; epoch: number; limit: number }): AuditEvent {
  return {
    actor: "(server)",
    action: "client.revoke_tokens",
    target: end.clientId,
    before: null,
    after: { epoch: end.epoch, revocations_per_client: end.limit },
  };
}
