/** Deletes from the store what has expired: every instance may do it, now and then. */
import type { GuardLog } from "./log.ts";
import type { GuardStore } from "./store.ts";

const EVERY_SECONDS = 60;

/** Once a minute; a failure is logged and tried again. */
export function startCleaning(
  { quotas, nonces }: GuardStore,
  log: GuardLog,
): { stop(): Promise<void> } {
  let running = Promise.resolve();
  const clean = async (task: string, store: { clean(): Promise<void> }): Promise<void> => {
    try {
      await store.clean();
    } catch (error) {
      log.warn({ event: "chore_failed", task, err: error }, "a chore failed");
    }
  };
  const timer = setInterval(() => {
    running = running
      .then(() => clean("cleanQuotas", quotas))
      .then(() => clean("cleanNonces", nonces));
  }, EVERY_SECONDS * 1000);
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}
