/** Quotas as an operator sets them, on a client or on one of its keys (docs/protocol.md §6). */
import { type Quota, readQuotas } from "@daykey/common/quota";

/** They stand in every access token, which must fit a header. */
const MAX_QUOTAS_LENGTH = 2048;

/** Why a holder of these scopes cannot have these quotas, or undefined. */
export function quotaFault(
  quotas: readonly Quota[],
  scopes: readonly string[],
): string | undefined {
  if (!readQuotas(quotas)) return "quotas are at most 16, one for each window and scope.";
  if (JSON.stringify(quotas).length > MAX_QUOTAS_LENGTH) return "quotas are too long together.";
  // One for a misspelled scope would limit nothing.
  return quotas.every(({ scope }) => scope === undefined || scopes.includes(scope))
    ? undefined
    : "quotas are for scopes of the same client or key.";
}

/** A second's quota would tell a client's instances apart by their luck. */
export const TOKEN_WINDOWS = ["minute", "hour", "day"] as const;

/** Why a client cannot have these quotas on what it is issued, or undefined. */
export function tokenQuotaFault(quotas: readonly Quota[]): string | undefined {
  const isKind = ({ window, scope }: Quota): boolean =>
    scope === undefined && TOKEN_WINDOWS.some((known) => known === window);
  return readQuotas(quotas)?.every(isKind)
    ? undefined
    : "token_quotas are one for each window: a minute, an hour, a day.";
}

/** Those that can count a request with this scope. */
export function quotasFor(scope: readonly string[], quotas: readonly Quota[]): readonly Quota[] {
  return quotas.filter((quota) => quota.scope === undefined || scope.includes(quota.scope));
}
