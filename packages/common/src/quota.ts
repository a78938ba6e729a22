/**
 * Quotas: how many requests a client, or one of its keys, may make in a window of time, all in all or
 * with one scope (docs/protocol.md §6). They travel in what proves access, so that a resource-server
 * looks nothing up, and one without a quota counts nothing.
 */
import { isScopeToken } from "./scope.ts";

/** The windows, in seconds. */
export const QUOTA_WINDOWS = { second: 1, minute: 60, hour: 3600, day: 86_400 } as const;
export type QuotaWindow = keyof typeof QUOTA_WINDOWS;

export interface Quota {
  /** Requests in one window; 0 refuses all. */
  limit: number;
  window: QuotaWindow;
  /** Counts requests that need this scope alone; undefined: all. */
  scope?: string | undefined;
}

export const MAX_QUOTAS = 16;
export const MAX_QUOTA_LIMIT = 1_000_000_000;

/** What identifies a quota among the others of its holder: there is one for each window and scope. */
function quotaName({ window, scope }: Pick<Quota, "window" | "scope">): string {
  return scope === undefined ? window : `${window} ${scope}`;
}

/**
 * The quotas in decoded JSON, or undefined when it is no list of at most `MAX_QUOTAS` with exactly
 * these members, each window and scope once.
 */
export function readQuotas(value: unknown): Quota[] | undefined {
  if (!Array.isArray(value) || value.length > MAX_QUOTAS) return undefined;
  const quotas = value.map(readQuota);
  const isWhole = quotas.every((quota) => quota !== undefined);
  return isWhole && new Set(quotas.map(quotaName)).size === quotas.length ? quotas : undefined;
}

function readQuota(value: unknown): Quota | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { limit, window, scope, ...others } = value as Record<string, unknown>;
  if (typeof limit !== "number" || !Number.isSafeInteger(limit)) return undefined;
  if (limit < 0 || limit > MAX_QUOTA_LIMIT || Object.keys(others).length > 0) return undefined;
  if (typeof window !== "string" || !Object.hasOwn(QUOTA_WINDOWS, window)) return undefined;
  const quota = { limit, window: window as QuotaWindow };
  if (scope === undefined) return quota;
  return typeof scope === "string" && isScopeToken(scope) ? { ...quota, scope } : undefined;
}
