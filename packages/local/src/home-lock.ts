/**
 * One start for a home. The lock is an advisory lock in the home's own PostgreSQL, held by a connection:
 * it ends with the process that holds it, whatever ends that.
 */
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { LocalError } from "./local-error.ts";

/** The number only has to be ours. */
const HOME_LOCK = 0x686f6d65;
const TRIES = 20;

export interface HomeLock {
  /** Resolves when the connection ends: by `release`, or because PostgreSQL has ended. */
  readonly lost: Promise<void>;
  release(): Promise<void>;
}

/** @throws {LocalError} when another start holds it */
export async function lockHome(
  cluster: { url(database: string, role: string): string },
  home: string,
): Promise<HomeLock> {
  const client = new pg.Client({ connectionString: cluster.url("postgres", "postgres") });
  const { promise: lost, resolve } = Promise.withResolvers<void>();
  client.on("error", () => resolve()).on("end", () => resolve());
  await client.connect();
  const tryLock = async (): Promise<boolean> => {
    const text = "select pg_try_advisory_lock($1) as held";
    return (await client.query<{ held: boolean }>(text, [HOME_LOCK])).rows[0]?.held === true;
  };
  // PostgreSQL takes a moment to see that a start which was killed is gone.
  for (let tries = 0; !(await tryLock()); tries++) {
    if (tries < TRIES) {
      await sleep(100);
      continue;
    }
    await client.end();
    throw new LocalError(
      `Another npm start runs with the folder ${home}. Stop it first, or set DAYKEY_HOME to another folder.`,
    );
  }
  return { lost, release: () => client.end() };
}
