/** The connection to Redis or Valkey: one, made again when it is lost; nothing waits for it long. */
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@redis/client";
import type { Log } from "../observe/log.ts";
import { OWN_MESSAGE } from "../observe/own-message.ts";

export interface Redis {
  /**
   * Runs a Lua script, which Redis does in one piece.
   * @throws {RedisUnavailable}
   */
  run<T>(script: string, input: { keys: string[]; values: string[] }): Promise<T>;
  /**
   * Whether nobody has used this key up before; it stays used for so long.
   * @throws {RedisUnavailable}
   */
  useOnce(key: string, seconds: number): Promise<boolean>;
  close(): void;
}

/** Redis cannot be reached, does not answer in time, or refuses. */
export class RedisUnavailable extends Error {
  readonly [OWN_MESSAGE] = true;
  override readonly name = "RedisUnavailable";

  constructor(options: { cause?: unknown } = {}) {
    super("Redis cannot be reached, or does not answer in time.", options);
  }
}

const CONNECT_SECONDS = 1;
const ANSWER_SECONDS = 1;
const PAUSE_MS = [50, 2000] as const;
/** A connection on which nothing comes back, not even the answer to a ping, is replaced. */
const PING_SECONDS = 1;
const SILENCE_SECONDS = 3;

/** @throws {RedisUnavailable} when it cannot be reached at the start */
export async function connectRedis({ url, log }: { url: string; log: Log }): Promise<Redis> {
  let isConnected = false;
  const client = createClient({
    url,
    disableOfflineQueue: true,
    pingInterval: PING_SECONDS * 1000,
    socket: {
      connectTimeout: CONNECT_SECONDS * 1000,
      socketTimeout: SILENCE_SECONDS * 1000,
      reconnectStrategy: (retries) =>
        isConnected && Math.min(PAUSE_MS[0] * 2 ** retries, PAUSE_MS[1]),
    },
  });
  let isLost = false;
  client.on("error", (error: unknown) => {
    if (isConnected && !isLost) log.warn({ event: "redis_lost", err: error }, "Redis was lost");
    isLost = true;
  });
  client.on("ready", () => {
    if (isLost) log.info({ event: "redis_back" }, "Redis is back");
    isLost = false;
  });
  await client.connect().catch((error: unknown) => {
    throw new RedisUnavailable({ cause: error });
  });
  isConnected = true;

  async function inTime<T>(answer: Promise<T>): Promise<T> {
    const late = new AbortController();
    try {
      return await Promise.race([answer, tooLate(late.signal)]);
    } catch (error) {
      throw new RedisUnavailable({ cause: error });
    } finally {
      late.abort();
    }
  }

  return {
    run: async <T>(script: string, { keys, values }: { keys: string[]; values: string[] }) =>
      (await inTime(client.eval(script, { keys, arguments: values }))) as T,
    async useOnce(key, seconds) {
      const options = { condition: "NX", expiration: { type: "EX", value: seconds } } as const;
      return (await inTime(client.set(key, "", options))) === "OK";
    },
    close: () => client.destroy(),
  };
}

async function tooLate(signal: AbortSignal): Promise<never> {
  await sleep(ANSWER_SECONDS * 1000, undefined, { signal });
  throw new RedisUnavailable();
}
