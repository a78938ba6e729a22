/** Asks a database now and then whether it answers, so that health tells of it before a request needs it. */
import type { Log } from "../observe/log.ts";
import { DatabaseUnavailable } from "./database-unavailable.ts";
import type { Queryable } from "./database.ts";

export interface Looks {
  /** What was wrong when it was asked last, in a few words; undefined when it answered. */
  fault(): string | undefined;
  stop(): void;
}

const LOOK_SECONDS = 5;

/** The first look is due in a few seconds. Each fault is logged when it begins, and its end. */
export function startLooks(database: Queryable, { log }: { log: Log }): Looks {
  let fault: string | undefined;
  let isLooking = false;

  async function look(): Promise<void> {
    if (isLooking) return;
    isLooking = true;
    const error: unknown = await database.query({ name: "look", text: "select 1" }).then(
      () => undefined,
      (thrown: unknown) => thrown ?? new Error("nothing was said"),
    );
    isLooking = false;
    const before = fault;
    if (error === undefined) fault = undefined;
    else fault = error instanceof DatabaseUnavailable ? error.reason : "cannot be used";
    if (fault === before) return;
    if (error === undefined) log.info({ event: "store_back" }, "the database is back");
    else log.warn({ event: "store_lost", err: error }, "the database cannot be used");
  }

  const timer = setInterval(() => void look(), LOOK_SECONDS * 1000);
  return { fault: () => fault, stop: () => clearInterval(timer) };
}
