/**
 * What the auth-server counts beside its requests' durations. Outcomes are read off the fields of each
 * request's log line, and states off what holds them, so that no feature knows it is measured.
 */
import type { Clock } from "@daykey/common/clock";
import { PATHS } from "@daykey/common/protocol";
import { measureHealth, measurePool, watchStore } from "@daykey/service/observe/measure";
import type { Metrics, RequestOutcome } from "@daykey/service/observe/metrics";
import type { Health } from "@daykey/service/process/health";
import type { QuotaDecision } from "@daykey/guard/quota/charge";
import type { ChangeWatcher } from "./changes/watcher.ts";
import type { Ground } from "./ground.ts";
import type { EndingSecrets } from "./registration/ending-secrets.ts";
import type { KeyRing } from "./keys/key-ring.ts";
import type { LiveSet } from "./revocation/live-set.ts";

const TOKEN_ROUTES = new Set<string>([PATHS.token, PATHS.seedTokens]);

/** What the alert rules of deploy/prometheus read. */
const REFRESH_ENDS = ["reuse", "late_retry"];
/** Reasons of a 429 because one client makes too many rows. */
const ROW_LIMITS = ["too_many_grants", "too_many_nonces"];
const FAILURES = ["unknown_client", "wrong_credential", "too_many_failures"];
const METHODS = [
  "client_secret_hash",
  "client_secret_basic",
  "client_secret_post",
  "private_key_jwt",
  "workload",
  "none",
];

/** Registers what decides whether this process is ready, and what is counted and measured of it. */
export function measureAuthServer(
  sources: Pick<Ground, "clock" | "database" | "redis" | "newsSeconds"> & {
    metrics: Metrics;
    health: Health;
    keys: Pick<KeyRing, "times" | "fault">;
    liveSet: LiveSet;
    watcher: ChangeWatcher;
    endingSecrets: EndingSecrets;
  },
): void {
  const { metrics, health, keys, redis, watcher, database } = sources;
  health.addCheck("database", watcher.fault);
  health.addCheck("keys", keys.fault);
  watchStore({ metrics, health }, "redis", redis?.fault);
  measureHealth(metrics, health);
  measurePool(metrics, database.pool);
  countTokens(metrics);
  countAuthentications(metrics);
  countWorkloads(metrics);
  countRowLimits(metrics);
  measureRevocations(metrics, sources);
  measureStates(metrics, sources);
}

/** Counts clients whose tokens were all ended because they had ended too many of their own grants. */
export function countEndedClients(metrics: Metrics): () => void {
  const count = metrics.counter({
    name: "client_tokens_ended_total",
    help: "Clients past REVOCATIONS_PER_CLIENT, whose tokens were all ended",
    labels: [],
    from: [{}],
  });
  return () => count({});
}

/** Counts tokens of clients with a quota of tokens. */
export function countQuotaDecisions(metrics: Metrics): (decision: QuotaDecision) => void {
  const count = metrics.counter({
    name: "quota_decisions_total",
    help: "Tokens of clients with a quota of tokens, by what became of them; store_down: decided without the store",
    labels: ["decision"],
    // What the alert rules of deploy/prometheus read.
    from: [{ decision: "store_down" }],
  });
  return (decision) => count({ decision });
}

/** Counts changes that met a damaged audit log. */
export function countAuditDamage(
  metrics: Metrics,
): (facts: { outcome: "refused" | "recorded" }) => void {
  const outcomes = ["refused", "recorded"] as const;
  const count = metrics.counter({
    name: "audit_damage_total",
    help: "Changes that met a damaged audit log: refused, or recorded past the damage",
    labels: ["outcome"],
    from: outcomes.map((outcome) => ({ outcome })),
  });
  return ({ outcome }) => count({ outcome });
}

function countTokens(metrics: Metrics): void {
  const tokens = metrics.counter({
    name: "token_requests_total",
    help: "Token requests by grant type and result: issued, or the error's code",
    labels: ["grant_type", "result"],
  });
  const refreshes = metrics.counter({
    name: "refreshes_total",
    help: "Refresh tokens presented by authenticated clients, by what came of it",
    labels: ["outcome"],
    from: REFRESH_ENDS.map((outcome) => ({ outcome })),
  });
  metrics.onRequest(({ route, status, fields }) => {
    const { grantType, outcome, error, refresh } = fields;
    if (grantType === undefined && !TOKEN_ROUTES.has(route)) return;
    tokens({
      grant_type: text(grantType) ?? "none",
      result: outcome === "issued" ? outcome : (text(error) ?? "none"),
    });
    if (grantType !== "refresh_token") return;
    // Without an outcome it never came to the grant's row.
    refreshes({ outcome: text(refresh) ?? (status >= 500 ? "unavailable" : "refused") });
  });
}

function countAuthentications(metrics: Metrics): void {
  const count = metrics.counter({
    name: "client_authentications_total",
    help: "Client authentications by method and result: ok, or the reason of the failure",
    labels: ["method", "result"],
    from: METHODS.flatMap((method) => FAILURES.map((result) => ({ method, result }))),
  });
  metrics.onRequest((outcome) => {
    const { authMethod, error } = outcome.fields;
    if (authMethod === undefined && error !== "invalid_client") return;
    count({ method: text(authMethod) ?? "none", result: authenticationResult(outcome) });
  });
}

/** Issuers are few and an operator's: strangers make no label. */
function countWorkloads(metrics: Metrics): void {
  const count = metrics.counter({
    name: "workload_assertions_total",
    help: "Assertions of trusted issuers by issuer and result: ok, dry_run, or the reason of the refusal",
    labels: ["issuer", "result"],
  });
  metrics.onRequest((outcome) => {
    const { trustedIssuer, dryRunRule } = outcome.fields;
    const issuer = text(trustedIssuer);
    if (issuer === undefined) return;
    const result = dryRunRule === undefined ? authenticationResult(outcome) : "dry_run";
    count({ issuer, result });
  });
}

function countRowLimits(metrics: Metrics): void {
  const count = metrics.counter({
    name: "client_rows_refused_total",
    help: "Requests refused because their client makes too many rows: GRANTS_PER_CLIENT, NONCES_PER_CLIENT",
    labels: ["reason"],
    from: ROW_LIMITS.map((reason) => ({ reason })),
  });
  metrics.onRequest(({ fields }) => {
    const reason = ROW_LIMITS.find((known) => known === fields["reason"]);
    if (reason !== undefined) count({ reason });
  });
}

/** What fails later than authentication has other codes; what is unavailable may be either. */
function authenticationResult({ status, fields }: RequestOutcome): string {
  const { error, reason } = fields;
  // A workload's assertion can be the grant.
  const isRefused =
    error === "invalid_client" ||
    (error === "invalid_grant" && fields["authMethod"] === "workload");
  if (isRefused || reason === "too_many_failures") return String(reason);
  return status >= 500 ? "unavailable" : "ok";
}

function measureRevocations(
  metrics: Metrics,
  {
    liveSet,
    watcher,
    newsSeconds,
  }: { liveSet: LiveSet; watcher: ChangeWatcher; newsSeconds: number },
): void {
  const observe = metrics.histogram({
    name: "revocation_lag_seconds",
    help: "Time from a revocation until the feeds of this process send it",
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  });
  liveSet.subscribe((added) => {
    for (const { expiresAt } of added) {
      // Its end says when it was made; that of a signing key has none.
      if (expiresAt === undefined) continue;
      observe(Math.max(0, watcher.databaseNow() - (expiresAt - newsSeconds)));
    }
  });
  metrics.gauge({
    name: "revocations_known",
    help: "Revocations held in memory",
    read: () => liveSet.current().size,
  });
  const countGap = metrics.counter({
    name: "revocations_gaps_total",
    help: "Times that revocations in memory were not those in the database, and were read anew",
    labels: [],
    from: [{}],
  });
  liveSet.onGap(() => countGap({}));
  metrics.gauge({
    name: "revocation_feeds",
    help: "Feeds of revocations that are open",
    // One subscriber is this file.
    read: () => liveSet.subscribers() - 1,
  });
}

function measureStates(
  metrics: Metrics,
  {
    keys,
    watcher,
    endingSecrets,
    clock,
  }: {
    keys: Pick<KeyRing, "times">;
    watcher: ChangeWatcher;
    endingSecrets: EndingSecrets;
    clock: Clock;
  },
): void {
  const ofKeys = (value: (times: { usedSince: number; nextAt: number }) => number) => () => {
    const all = Object.entries(keys.times());
    return Object.fromEntries(all.map(([purpose, times]) => [purpose, value(times)]));
  };
  metrics.gauge({
    name: "key_age_seconds",
    help: "Since the key in use began to be used",
    label: "purpose",
    read: ofKeys(({ usedSince }) => clock() - usedSince),
  });
  metrics.gauge({
    name: "key_rotation_due_seconds",
    help: "Time until the next key is used; below 0, keys are not being rotated",
    label: "purpose",
    read: ofKeys(({ nextAt }) => nextAt - clock()),
  });
  metrics.gauge({
    name: "client_secrets_ending",
    help: "Enabled clients whose last secret ends within this time, or has ended; counted once an hour",
    label: "within",
    read: endingSecrets.counts,
  });
  metrics.gauge({
    name: "database_read_age_seconds",
    help: "Since changes were last read from the database; at ISSUE_STALE it is not ready",
    read: watcher.ageSeconds,
  });
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
