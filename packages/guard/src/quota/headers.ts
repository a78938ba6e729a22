/**
 * What the caller is told of its quotas: the fields of draft-ietf-httpapi-ratelimit-headers-11, lists of
 * RFC 9651 whose items are the policies' names.
 */
import type { Window } from "./policy.ts";
import type { Count } from "./quota-store.ts";

/** @param counts one a window; of those without one only the policy is told */
export function rateLimitHeaders(
  windows: readonly Window[],
  counts: readonly (Count | undefined)[],
): Record<string, string> {
  const policies = windows.map(
    ({ policy, limit, seconds }) => `"${policy}";q=${limit};w=${seconds}`,
  );
  const limits = windows.flatMap(({ policy, limit }, index) => {
    const count = counts[index];
    if (!count) return [];
    const { used, resetSeconds } = count;
    return `"${policy}";r=${Math.max(0, limit - used)};t=${Math.ceil(resetSeconds)}`;
  });
  return { "RateLimit-Policy": policies.join(", "), RateLimit: limits.join(", ") };
}

/** Whole seconds until every window that had no room is over. */
export function retryAfterSeconds(
  windows: readonly Window[],
  counts: readonly (Count | undefined)[],
): number {
  const waits = windows.map(({ limit }, index) => {
    const count = counts[index];
    return !count || count.used < limit ? 0 : Math.ceil(count.resetSeconds);
  });
  return Math.max(1, ...waits);
}
