/**
 * Cohort scheduling (Larus and Parkes, USENIX 2002): requests that are read in one turn of the event
 * loop take every step together, all of them the first, then all the second. The code and the tables
 * of a step, such as those of a signature, are then in the processor's cache for all but the first of
 * them, where one request after the other drives its predecessor's out (docs/adr/0024).
 *
 * Nothing has to be said at the steps: who waits for the same promise goes on in the same queue of
 * microtasks, and so does whatever each awaits next.
 */

/** Resolves when the others of this turn are there; without others, within the turn. */
export type JoinCohort = () => Promise<void>;

/** @param most how many go together; as many more are the next cohort, so that none waits for hundreds */
export function createCohorts(most: number): JoinCohort {
  let cohort: { size: number; begin: Promise<void> } | undefined;

  return () => {
    if (cohort === undefined || cohort.size === most) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const opened = { size: 0, begin: promise };
      cohort = opened;
      // After all that could be read was read. Between two of these, Node runs all microtasks.
      setImmediate(() => {
        if (cohort === opened) cohort = undefined;
        resolve();
      });
    }
    cohort.size += 1;
    return cohort.begin;
  };
}
