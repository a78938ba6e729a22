/** Quotas as the admin API takes and shows them, on clients and on keys. */
import { z } from "zod";
import {
  MAX_QUOTA_LIMIT,
  MAX_QUOTAS,
  type Quota,
  QUOTA_WINDOWS,
  type QuotaWindow,
} from "@daykey/common/quota";
import { TOKEN_WINDOWS } from "../clients/quotas.ts";
import { text } from "./schema-parts.ts";

const WINDOWS = Object.keys(QUOTA_WINDOWS) as [QuotaWindow, ...QuotaWindow[]];

/** Requests in a window of time: all of them, or those that need the scope. */
export const quotaList = z
  .array(
    z.strictObject({
      limit: z.int().min(0).max(MAX_QUOTA_LIMIT),
      window: z.enum(WINDOWS),
      scope: text(200).exactOptional(),
    }),
  )
  .max(MAX_QUOTAS);

/** Tokens in a window of time. */
export const tokenQuotaList = z
  .array(
    z.strictObject({
      limit: z.int().min(0).max(MAX_QUOTA_LIMIT),
      window: z.enum(TOKEN_WINDOWS),
    }),
  )
  .max(TOKEN_WINDOWS.length);

export function tokenQuotasViewOf(quotas: readonly Quota[]): z.infer<typeof tokenQuotaList> {
  return quotas.flatMap(({ limit, window }) => {
    const known = TOKEN_WINDOWS.find((each) => each === window);
    return known ? [{ limit, window: known }] : [];
  });
}

export function quotasViewOf(quotas: readonly Quota[]) {
  return quotas.map(({ limit, window, scope }) => ({
    limit,
    window,
    ...(scope !== undefined && { scope }),
  }));
}
