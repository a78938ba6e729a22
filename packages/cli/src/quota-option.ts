/** Quotas as they are typed and shown: `5/day`, or `"100/minute primes:check"` for one scope. */
import { InvalidArgumentError } from "@commander-js/extra-typings";
import { type Quota, readQuotas } from "@daykey/common/quota";

/** A quota in an answer, where integers are bigints. */
export type QuotaView = Omit<Quota, "limit"> & { limit: bigint };

/** Collects the values of a repeated option. */
export function quotaOption(text: string, before: Quota[] | boolean | undefined): Quota[] {
  const [, limit = "", window, scope] = /^(\d{1,10})\/([a-z]+)(?: (\S+))?$/.exec(text) ?? [];
  const quotas = readQuotas([{ limit: Number(limit), window, ...(scope && { scope }) }]);
  if (limit !== "" && quotas) return [...(Array.isArray(before) ? before : []), ...quotas];
  throw new InvalidArgumentError('Write 5/day, or "100/minute primes:check".');
}

export function quotasText(quotas: readonly QuotaView[]): string {
  return quotas
    .map(
      ({ limit, window, scope }) => `${limit}/${window}${scope === undefined ? "" : ` ${scope}`}`,
    )
    .join(", ");
}
