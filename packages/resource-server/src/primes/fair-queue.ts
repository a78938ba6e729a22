/** Whose turn it is, of the clients whose jobs wait for threads. */

/** What the queue knows of a job; it alone changes the last two. */
export interface QueuedJob {
  readonly client: string;
  /** Whether a thread has it, and whether one ever had. */
  isTaken: boolean;
  hasBegun: boolean;
}

/** Jobs that have not ended, by client, in the order of their last turns. It holds at most `size`. */
export function createFairQueue<J extends QueuedJob>(size: number) {
  const clients = new Map<string, { jobs: Set<J>; threads: number }>();
  let count = 0;

  function release(job: J): void {
    const client = clients.get(job.client);
    if (client && job.isTaken) client.threads -= 1;
    job.isTaken = false;
  }

  return {
    all: (): J[] => [...clients.values()].flatMap(({ jobs }) => [...jobs]),

    /** The first job without a thread, of the client with the fewest threads and the oldest turn. */
    next(): J | undefined {
      let next: J | undefined;
      let fewest = Infinity;
      for (const { jobs, threads } of clients.values()) {
        if (threads >= fewest || threads === jobs.size) continue;
        next = jobs.values().find(({ isTaken }) => !isTaken);
        fewest = threads;
      }
      return next;
    },

    /** A thread takes it: that is its client's turn. */
    take(job: J): void {
      const client = clients.get(job.client);
      if (!client) return;
      clients.delete(job.client);
      clients.set(job.client, client);
      client.threads += 1;
      job.hasBegun = true;
      job.isTaken = true;
    },

    release,

    isFull: () => count >= size,

    /**
     * Whose place a new job of this client takes when there is no room: the newest job of the client with
     * the most, or undefined when none has more than this client would have.
     */
    crowdedOutBy(name: string): J | undefined {
      const own = clients.get(name)?.jobs.size ?? 0;
      let most = new Set<J>();
      for (const { jobs } of clients.values()) if (jobs.size > most.size) most = jobs;
      const newest = [...most].findLast(({ isTaken }) => !isTaken);
      return most.size > own + 1 ? newest : undefined;
    },

    add(job: J): void {
      const client = clients.get(job.client) ?? { jobs: new Set(), threads: 0 };
      clients.set(job.client, client);
      client.jobs.add(job);
      count += 1;
    },

    remove(job: J): void {
      const client = clients.get(job.client);
      if (!client?.jobs.has(job)) return;
      release(job);
      client.jobs.delete(job);
      count -= 1;
      if (client.jobs.size === 0) clients.delete(job.client);
    },
  };
}
