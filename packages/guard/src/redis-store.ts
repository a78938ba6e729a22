/**
 * Counters of quotas and nonces in Redis or Valkey: one script counts a request, so it is exact whatever the number
 * of instances; by the clock of Redis alone. How much survives its restart is Redis's own setting.
 */
import type { Clock } from "@daykey/common/clock";
import { MARGIN_SECONDS, type NonceStore, unavailable } from "./keys/nonce-store.ts";
import { type QuotaStore, resetSeconds } from "./quota/quota-store.ts";
import type { GuardStore } from "./store.ts";

/** What is asked of Redis. A request waits for it, so its waits should be short. */
export interface RedisCommands {
  /** Runs a Lua script, which Redis does in one piece. */
  run<T>(script: string, input: { keys: string[]; values: string[] }): Promise<T>;
  /** Whether nobody has used this key up before; it stays used for so long. */
  useOnce(key: string, seconds: number): Promise<boolean>;
}

/** By whatever sends a command and gives the answer, as each client library can. */
export function redisCommands(send: (command: string[]) => Promise<unknown>): RedisCommands {
  return {
    run: async <T>(script: string, { keys, values }: { keys: string[]; values: string[] }) =>
      (await send(["EVAL", script, String(keys.length), ...keys, ...values])) as T,
    useOnce: async (key, seconds) =>
      (await send(["SET", key, "", "NX", "EX", String(seconds)])) !== null,
  };
}

/** @param redis closed by who opened it */
export function createRedisStore(redis: RedisCommands, clock: Clock): GuardStore {
  return { quotas: createQuotas(redis), nonces: createNonces(redis, clock) };
}

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

function createQuotas(redis: RedisCommands): QuotaStore {
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

function createNonces(redis: RedisCommands, clock: Clock): NonceStore {
  return {
    use(keyId, nonce, expiresAt) {
      const seconds = Math.max(1, Math.ceil(expiresAt - clock())) + MARGIN_SECONDS;
      return redis.useOnce(`daykey:nonce:${keyId}:${nonce}`, seconds).catch(unavailable);
    },
    clean: () => Promise.resolve(),
  };
}
