import { expect, test } from "vitest";
import { MAX_QUOTA_LIMIT, MAX_QUOTAS, type Quota, readQuotas } from "./quota.ts";

const QUOTA: Quota = { limit: 5, window: "day", scope: "primes:check" };

test("quotas are read as they are", () => {
  const quotas = [QUOTA, { limit: 0, window: "second" }, { limit: MAX_QUOTA_LIMIT, window: "day" }];
  expect(readQuotas(JSON.parse(JSON.stringify(quotas)))).toEqual(quotas);
  expect(readQuotas([])).toEqual([]);
});

test("what is no list of quotas is none", () => {
  const many = Array.from({ length: MAX_QUOTAS + 1 }, (_, i) => ({ ...QUOTA, scope: `s${i}` }));
  expect(readQuotas(many.slice(1))).toHaveLength(MAX_QUOTAS);
  for (const value of [undefined, null, "", 5, {}, QUOTA, [QUOTA, QUOTA], many]) {
    expect(readQuotas(value)).toBeUndefined();
  }
  for (const changes of [
    { limit: -1 },
    { limit: 1.5 },
    { limit: "5" },
    { limit: undefined },
    { limit: MAX_QUOTA_LIMIT + 1 },
    { window: "week" },
    { window: "toString" },
    { window: 60 },
    { scope: null },
    { scope: "" },
    { scope: "a b" },
    { more: 1 },
  ]) {
    expect(readQuotas([{ ...QUOTA, ...changes }]), JSON.stringify(changes)).toBeUndefined();
  }
  for (const item of [null, "day", 5, []]) expect(readQuotas([item])).toBeUndefined();
});
