/** Everything a service needs, and the only barrel here. */
export type { Access, CredentialKind } from "./access.ts";
export type { AccessOutcome, Allowed, Check, CheckOptions, CheckResult } from "./check.ts";
export { watchCredentialFile } from "./credential-file.ts";
export { createGuard, type Guard, type GuardMetrics, type GuardOptions } from "./guard.ts";
export type { GuardLog, LogFields } from "./log.ts";
export type { RouteQuota } from "./quota/policy.ts";
export type { QuotaDecision, QuotaSettings } from "./quota/charge.ts";
export type { Problem, Refusal } from "./refusals.ts";
export {
  type CheckRequest,
  type HeaderFields,
  type ReadBody,
  RequestBodyError,
} from "./request.ts";
export type { StalePolicy } from "./revocation/stale-policy.ts";
export type { GuardStore } from "./store.ts";
export type { CredentialSource, OwnCredential } from "./tokens/own-client.ts";
