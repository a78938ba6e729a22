/**
 * How much each client uses, told to the auth-server now and then (docs/protocol.md §6.1). Counts wait
 * in this process's memory; a report that was not acknowledged is sent again as it is, so that nothing
 * is counted twice, and what a crash takes is a few seconds of counts.
 */
import { randomUUID } from "node:crypto";
import { onceIn } from "@daykey/common/once-in";
import { boundedFetch } from "@daykey/client/internal/bounded-fetch";
import { type Clock, dayOf, formatDay } from "@daykey/common/clock";
import { JSON_MEDIA_TYPE } from "@daykey/common/media-types";
import { PATHS } from "@daykey/common/protocol";
import { OWN_MESSAGE } from "@daykey/common/own-message";
import type { OwnToken } from "../tokens/own-client.ts";
import type { GuardLog } from "../log.ts";

export interface Usage {
  /** Counts one request of a client that needed the scope: let in, or refused by a quota. */
  count(clientId: string, scope: string, outcome: "served" | "refused"): void;
  /** Reports what is left, if that can be done soon. */
  stop(): Promise<void>;
}

interface Count {
  client_id: string;
  /** `YYYY-MM-DD` in UTC. */
  day: string;
  scope: string;
  served: number;
  refused: number;
}

interface Report {
  reporter: string;
  seq: number;
  resource: string;
  counts: readonly Count[];
}

class UsageUnreported extends Error {
  readonly [OWN_MESSAGE] = true;
  override readonly name = "UsageUnreported";
}

export const USAGE_SECONDS = 10;
const MAX_COUNTS = 10_000;
/** That a report may hold (docs/protocol.md §6.1). */
const REPORT_COUNTS = 1000;
const TIMEOUT_SECONDS = 5;
/** The rest of a stop takes the rest of its time. */
const STOP_SECONDS = 1;
const LOG_EVERY_SECONDS = 300;
/** A token is used for so much of its life. */
const USED_PART = 0.8;

export function createUsage({
  authServerUrl,
  resource,
  token,
  everySeconds,
  clock,
  elapsed,
  log,
}: {
  authServerUrl: string;
  /** This resource's URI. */
  resource: string;
  /** Another token with which usage may be reported. */
  token: (signal: AbortSignal) => Promise<OwnToken>;
  everySeconds: number;
  clock: Clock;
  /** Seconds of a clock that nobody sets. */
  elapsed: Clock;
  log: GuardLog;
}): Usage {
  const url = new URL(PATHS.usage, authServerUrl);
  const reporter = randomUUID();
  const stopped = new AbortController();
  let counts = new Map<string, Count>();
  /** Sent, perhaps received, and not acknowledged. */
  let pending: Report | undefined;
  let seq = 0;
  let dropped = 0;
  const isLogDue = onceIn(LOG_EVERY_SECONDS, elapsed);
  let held: { value: string; until: number } | undefined;

  async function currentToken(signal: AbortSignal): Promise<string> {
    if (held && elapsed() < held.until) return held.value;
    const askedAt = elapsed();
    const { value, lifeSeconds } = await token(signal);
    held = { value, until: askedAt + lifeSeconds * USED_PART };
    return value;
  }

  /** @returns whether it need not be sent again; one that is refused for what it is never will be taken */
  async function send(report: Report, signal: AbortSignal): Promise<boolean> {
    const answer = await boundedFetch(
      fetch,
      url,
      {
        method: "POST",
        headers: {
          authorization: `Bearer ${await currentToken(signal)}`,
          "content-type": JSON_MEDIA_TYPE,
        },
        body: JSON.stringify(report),
      },
      { timeoutSeconds: TIMEOUT_SECONDS, signal },
    );
    if (answer.status === 204) return true;
    if (answer.status === 401) held = undefined;
    const error = new UsageUnreported(`the report was answered with ${answer.status}`);
    if (answer.status !== 400 && answer.status !== 413) throw error;
    log.error({ event: "usage_refused", err: error }, "usage is lost");
    return true;
  }

  function nextReport(): Report | undefined {
    const part = [...counts].slice(0, REPORT_COUNTS);
    if (part.length === 0) return undefined;
    for (const [key] of part) counts.delete(key);
    seq += 1;
    return { reporter, seq, resource, counts: part.map(([, count]) => count) };
  }

  async function reportAll(signal: AbortSignal): Promise<void> {
    try {
      while ((pending ??= nextReport())) {
        if (await send(pending, signal)) pending = undefined;
      }
    } catch (error) {
      if (stopped.signal.aborted || !isLogDue()) return;
      log.warn({ event: "usage_unreported", dropped, err: error }, "usage cannot be reported");
    }
  }

  let reporting = Promise.resolve();
  const timer = setInterval(() => {
    reporting = reporting.then(() => reportAll(stopped.signal));
  }, everySeconds * 1000);

  return {
    count(clientId, scope, outcome) {
      const day = dayOf(clock());
      const key = `${day} ${clientId} ${scope}`;
      let count = counts.get(key);
      if (!count) {
        // While nobody takes reports, those of more clients than ever were are not kept.
        if (counts.size >= MAX_COUNTS) {
          dropped += 1;
          return;
        }
        count = { client_id: clientId, day: formatDay(day), scope, served: 0, refused: 0 };
        counts.set(key, count);
      }
      count[outcome] += 1;
    },
    async stop() {
      clearInterval(timer);
      // One on its way is cut off: whether it arrived or not, it is sent again as it is.
      stopped.abort();
      await reporting;
      await reportAll(AbortSignal.timeout(STOP_SECONDS * 1000));
      counts = new Map();
    },
  };
}
