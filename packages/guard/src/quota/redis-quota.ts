/**
 * Counters of quotas in Redis or Valkey: one script counts a request, so it is exact whatever the number
 * of instances; by the clock of Redis alone. How much survives its restart is Redis's own setting.
 */
import type { Redis } from "@daykey/service/database/redis";
import { type QuotaStore, resetSeconds } from "./quota-store.ts";

/** A counter ends with its window, by itself. */
const CHARGE = `
local now = redis.call('TIME')
local used, admitted = {}, 1
for i, key in ipairs(KEYS) do
  used[i] = tonumber(redis.call('GET', key) or '0')
  if used[i] >= tonumber(ARGV[2 * i]) then admitted = 0 end
end
if admitted == 1 then
  for i, key in ipairs(KEYS) do
    used[i] = redis.call('INCR', key)
    local seconds = tonumber(ARGV[2 * i - 1])
    if used[i] == 1 then redis.call('EXPIREAT', key, now[1] - now[1] % seconds + seconds) end
  end
end
return { admitted, now[1] .. '.' .. string.format('%06d', now[2]), unpack(used) }`;

export function createRedisQuotaStore(redis: Redis): QuotaStore {
  return {
    async charge(windows) {
      const [admitted, now, ...used] = await redis.run<[number, string, ...number[]]>(CHARGE, {
        keys: windows.map(({ counter }) => `daykey:quota:${counter}`),
        values: windows.flatMap(({ seconds, limit }) => [String(seconds), String(limit)]),
      });
      const counts = windows.map(({ seconds }, index) => ({
        used: used[index] ?? 0,
        resetSeconds: resetSeconds(Number(now), seconds),
      }));
      return { isAdmitted: admitted === 1, counts };
    },
    clean: () => Promise.resolve(),
  };
}
