/** Quotas as the admin API takes and shows them, on clients and on keys. */
import { z } from "zod";
import {
  MAX_QUOTA_LIMIT,
  MAX_QUOTAS,
  type Quota,
  QUOTA_WINDOWS,
  type QuotaWindow,
} from "@daykey/common/quota";
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

export function quotasViewOf(quotas: readonly Quota[]) {
  return quotas.map(({ limit, window, scope }) => ({
    limit,
    window,
    ...(scope !== undefined && { scope }),
  }));
}
