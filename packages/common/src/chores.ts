/** What is done now and then: rotate keys, delete what has expired. Every instance may do it. */

const EVERY_SECONDS = 60;

/** Part of the logs of servers and of the guard: this is all that is needed here. */
interface ChoreLog {
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** Runs the tasks once a minute, one after another; a failure is logged and tried again. */
export function startChores(
  tasks: Readonly<Record<string, () => Promise<void>>>,
  log: ChoreLog,
): { stop(): Promise<void> } {
  let running = Promise.resolve();
  const timer = setInterval(() => {
    running = running.then(async () => {
      for (const [task, run] of Object.entries(tasks)) {
        try {
          await run();
        } catch (error) {
          log.warn({ event: "chore_failed", task, err: error }, "a chore failed");
        }
      }
    });
  }, EVERY_SECONDS * 1000);
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}
