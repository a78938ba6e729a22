/** The connection to Redis or Valkey: one, made again when it is lost; nothing waits for it long. */
import { setTimeout as sleep } from "node:timers/promises";
import { createClient, ErrorReply } from "@redis/client";
import { backoff } from "@daykey/common/backoff";
import type { Log } from "../observe/log.ts";
import { RedisUnavailable } from "./redis-unavailable.ts";

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
  /**
   * What was wrong with the last command or the connection, in a few words; undefined when nothing was. It
   * is tried every few seconds, so this needs nobody's request.
   */
  fault(): string | undefined;
  close(): void;
}

const CONNECT_SECONDS = 1;
const ANSWER_SECONDS = 1;
const PAUSE_MS = [50, 2000] as const;
/** A connection on which nothing comes back, not even the answer to a ping, is replaced. */
const PING_SECONDS = 1;
const SILENCE_SECONDS = 3;
/**
 * How often it is asked to take a change, whether others ask or not: a ping says nothing of a Redis that is
 * full, a replica, or cannot write to its disk.
 */
const LOOK_SECONDS = 5;
const LOOK_KEY = "daykey:look";
const LOOK = "return redis.call('SET', KEYS[1], '', 'EX', 5)";

/** @throws {RedisUnavailable} when it cannot be reached at the start, or refuses the connection */
export async function connectRedis({ url, log }: { url: string; log: Log }): Promise<Redis> {
  const { hostname, port } = new URL(url);
  const address = `${hostname}:${port === "" ? "6379" : port}`;
  const unavailable = (cause: unknown): RedisUnavailable =>
    new RedisUnavailable(address, { cause, refusal: refusalOf(cause) });
  let isConnected = false;
  const client = createClient({
    url,
    disableOfflineQueue: true,
    pingInterval: PING_SECONDS * 1000,
    socket: {
      connectTimeout: CONNECT_SECONDS * 1000,
      socketTimeout: SILENCE_SECONDS * 1000,
      reconnectStrategy: (retries) => isConnected && backoff(retries, PAUSE_MS, Math.random()),
    },
  });
  let fault: string | undefined;
  /** Each fault is logged when it begins, and its end. */
  function note(found: RedisUnavailable | undefined): void {
    const previous = fault;
    fault = found?.reason;
    if (!isConnected || fault === previous) return;
    if (!found) return log.info({ event: "redis_back" }, "Redis is back");
    const event = found.refusal === undefined ? "redis_lost" : "redis_refuses";
    log.warn({ event, refusal: found.refusal, err: found }, "Redis cannot be used");
  }
  /** Why there is no connection: what a command is told meanwhile says only that there is none. */
  let lost: RedisUnavailable | undefined;
  client.on("error", (error: unknown) => note((lost = unavailable(error))));
  client.on("ready", () => note((lost = undefined)));
  await client.connect().catch((error: unknown) => {
    client.destroy();
    throw unavailable(error);
  });
  isConnected = true;

  /** Whoever uses scripts is told of a Redis that runs none, too. */
  let usesScripts = false;
  const runScript = (script: string, keys: string[], values: string[]): Promise<unknown> =>
    inTime(client.eval(script, { keys, arguments: values }));
  async function look(): Promise<void> {
    const asked = usesScripts
      ? runScript(LOOK, [LOOK_KEY], [])
      : inTime(client.set(LOOK_KEY, "", { expiration: { type: "EX", value: LOOK_SECONDS } }));
    // What it met is noted.
    await asked.catch(() => undefined);
  }
  const looking = setInterval(() => void look(), LOOK_SECONDS * 1000);

  async function inTime<T>(answer: Promise<T>): Promise<T> {
    const late = new AbortController();
    try {
      const value = await Promise.race([answer, tooLate(late.signal)]);
      note(undefined);
      return value;
    } catch (error) {
      const found = lost ?? unavailable(error);
      note(found);
      throw found;
    } finally {
      late.abort();
    }
  }

  return {
    async run<T>(script: string, { keys, values }: { keys: string[]; values: string[] }) {
      usesScripts = true;
      return (await runScript(script, keys, values)) as T;
    },
    async useOnce(key, seconds) {
      const options = { condition: "NX", expiration: { type: "EX", value: seconds } } as const;
      return (await inTime(client.set(key, "", options))) === "OK";
    },
    fault: () => fault,
    close() {
      clearInterval(looking);
      client.destroy();
    },
  };
}

/** An error reply begins with its code: Redis's own word, with nothing of a caller's in it. */
function refusalOf(error: unknown): string | undefined {
  if (!(error instanceof ErrorReply)) return undefined;
  return /^[A-Z]{2,20}(?= |$)/.exec(error.message)?.[0] ?? "ERR";
}

/** Redis said nothing for too long. */
class TooLate extends Error {
  readonly code = "ETIMEDOUT";
}

async function tooLate(signal: AbortSignal): Promise<never> {
  await sleep(ANSWER_SECONDS * 1000, undefined, { signal });
  throw new TooLate();
}
