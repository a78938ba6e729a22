/**
 * What is revoked, kept here by listening to the auth-server (docs/protocol.md §3), so that a request
 * waits for nobody. Always one connection to the feed: the next is opened before the token of the last
 * ends, after a cut with growing pauses, and each tells the whole set anew. Until it has, the old set
 * stays in use; how old it is decides what it is worth (`stale-policy.ts`).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { backoff } from "@daykey/common/backoff";
import type { Clock } from "@daykey/common/clock";
import {
  createRevocationSet,
  type Revocable,
  type Revocation,
  type RevocationSet,
  type SetSummary,
} from "@daykey/common/revocation";
import { FeedError, readFeedEvents } from "./feed-events.ts";
import type { OwnToken } from "../tokens/own-client.ts";
import type { GuardLog } from "../log.ts";

export interface RevocationFeed {
  /** Whether this token or key was heard to be revoked. @param kid of the key that signed it */
  isRevoked(claims: Revocable, kid: string | undefined): boolean;
  /** Whether the feed was heard lately: then it has told everything. */
  isFresh(): boolean;
  /** Seconds since it was heard; Infinity before the first whole set. */
  ageSeconds(): number;
  /** How many revocations are known. */
  size(): number;
  close(): Promise<void>;
}

export interface FeedLimits {
  /** The feed has fallen silent: what it told may no longer be everything. */
  staleSeconds: number;
  /** Three heartbeats are missing: another connection may still be in time. */
  replaceSeconds: number;
  /** From the request to the end of the whole set. */
  liveWithinSeconds: number;
  /** Pauses between failures grow from the first to the second. */
  pauseSeconds: readonly [least: number, most: number];
  /** What lasted so long was no failure. */
  settledSeconds: number;
  /** How often ages are looked at. */
  lookSeconds: number;
  /** More than any auth-server tells; 500,000 are about 120 MB. */
  maxEntries: number;
}

const LIMITS: FeedLimits = {
  staleSeconds: 15,
  replaceSeconds: 10,
  liveWithinSeconds: 20,
  pauseSeconds: [0.1, 5],
  settledSeconds: 5,
  lookSeconds: 1,
  maxEntries: 500_000,
};

/** Renewal begins at a random point of this part of a token's life, so that many servers spread. */
const RENEW_FROM = 0.8;
const RENEW_UNTIL = 0.9;
/** A set that another instance sends may lack what this one was told so short a time before. */
const INSTANCE_LAG_SECONDS = 10;

interface Connection {
  /** What it told. */
  set: RevocationSet;
  /** What the one before told in its last seconds, and this one may not know yet. */
  carried: RevocationSet;
  /** Whether its heartbeats say what the set has to hold; they then say what has expired, too. */
  isSummed: boolean;
  /** What it told in the last seconds. */
  news: News[];
  openedAt: number;
  heardAt: number;
  renewAt: number;
  /** Another is needed: with the error that ended it, if there was one. */
  over: Deferred<Error | undefined>;
  abort: AbortController;
}

/** `Promise.withResolvers`, which Node 20 has not. */
interface Deferred<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (reason: Error) => void;
}

function createDeferred<T>(): Deferred<T> {
  let settle: Omit<Deferred<T>, "promise"> | undefined;
  const promise = new Promise<T>((resolve, reject) => (settle = { resolve, reject }));
  return { promise, ...(settle as Omit<Deferred<T>, "promise">) };
}

interface News {
  revocation: Revocation;
  heardAt: number;
}

/** Begins to listen at once. */
export function createRevocationFeed({
  authServerUrl,
  feedToken,
  clock,
  elapsed,
  log,
  onSigningKey = () => undefined,
  limits: given,
}: {
  authServerUrl: string;
  feedToken: (signal: AbortSignal) => Promise<OwnToken>;
  clock: Clock;
  /** Seconds of a clock that nobody sets. */
  elapsed: Clock;
  log: GuardLog;
  /** Told the kid of each signing key that was revoked, perhaps again and again. */
  onSigningKey?: (kid: string) => void;
  limits?: Partial<FeedLimits> | undefined;
}): RevocationFeed {
  const limits = { ...LIMITS, ...given };
  const stop = new AbortController();
  /** The last that told a whole set; its set counts, even when it has ended. */
  let current: Connection | undefined;
  /** On its way to take that place. */
  let candidate: Connection | undefined;

  async function connect(): Promise<void> {
    const askedAt = elapsed();
    const token = await feedToken(stop.signal);
    const openedAt = elapsed();
    const part = RENEW_FROM + (RENEW_UNTIL - RENEW_FROM) * Math.random();
    const opened: Connection = {
      set: createRevocationSet(),
      carried: createRevocationSet(),
      isSummed: false,
      news: [],
      openedAt,
      heardAt: openedAt,
      renewAt: askedAt + token.lifeSeconds * part,
      over: createDeferred(),
      abort: new AbortController(),
    };
    candidate = opened;
    const live = createDeferred<void>();
    const end = (error: Error | undefined): void => {
      opened.over.resolve(error);
      live.reject(error ?? new FeedError("the feed ended before it had told everything"));
    };
    const signal = AbortSignal.any([stop.signal, opened.abort.signal]);
    // Here, since what is followed may hear no signal: a connection handed to another protocol, say.
    signal.addEventListener("abort", () => end(signal.reason as Error), { once: true });
    void follow(opened, { token: token.value, signal, onLive: live.resolve }).then(
      () => end(undefined),
      (error: unknown) => end(error as Error),
    );
    await live.promise.finally(() => (candidate = undefined));
    replaceBy(opened);
    const error = await opened.over.promise;
    if (error) throw error;
  }

  /** Until the stream ends. */
  async function follow(
    opened: Connection,
    { token, signal, onLive }: { token: string; signal: AbortSignal; onLive: () => void },
  ): Promise<void> {
    for await (const event of readFeedEvents({ authServerUrl, token, signal })) {
      opened.heardAt = elapsed();
      if (event.kind !== "revocation") {
        compare(opened, event.summary);
        if (event.kind === "live") onLive();
        continue;
      }
      opened.set.add(event.revocation);
      if (event.revocation.kind === "signing_key") onSigningKey(event.revocation.subject);
      opened.news.push({ revocation: event.revocation, heardAt: opened.heardAt });
      // One entry, told again and again, fills the news alone.
      if (Math.max(opened.set.size, opened.news.length) > limits.maxEntries) {
        throw new FeedError("the feed tells too many revocations");
      }
    }
  }

  /** Anything that got lost between the two is a reason to begin anew. */
  function compare(opened: Connection, told: SetSummary | undefined): void {
    if (!told) return;
    opened.isSummed = true;
    opened.set.prune(told.prunedAt);
    const { entries, digest } = opened.set.summary();
    if (entries === told.entries && digest === told.digest) return;
    throw new FeedError("the feed has told other revocations than the auth-server holds");
  }

  function replaceBy(opened: Connection): void {
    // Another instance of the auth-server may learn a little later than the one before.
    for (const news of current?.news ?? []) {
      if (news.heardAt < opened.openedAt - INSTANCE_LAG_SECONDS) continue;
      opened.carried.add(news.revocation);
      opened.news.push(news);
    }
    current?.abort.abort();
    current = opened;
    log.info(
      { event: "revocations_live", entries: opened.set.size },
      "the revocation feed is live",
    );
  }

  async function keepConnected(): Promise<void> {
    let failures = 0;
    while (!stop.signal.aborted) {
      const begunAt = elapsed();
      try {
        await connect();
      } catch (error) {
        if (stop.signal.aborted) return;
        log.warn({ event: "revocations_cut", err: error }, "the revocation feed was cut");
      }
      failures = elapsed() - begunAt >= limits.settledSeconds ? 0 : failures + 1;
      const pause = backoff(failures, limits.pauseSeconds, Math.random()) * 1000;
      await sleep(pause, undefined, { signal: stop.signal }).catch(() => {});
    }
  }

  function ageSeconds(): number {
    return current ? elapsed() - current.heardAt : Infinity;
  }
  const isFresh = (): boolean => ageSeconds() <= limits.staleSeconds;

  let wasSilent = false;
  function look(): void {
    const now = elapsed();
    if (candidate && now - candidate.openedAt > limits.liveWithinSeconds) {
      candidate.abort.abort(new FeedError("the feed did not tell everything in time"));
    }
    if (current && (ageSeconds() > limits.replaceSeconds || now >= current.renewAt)) {
      current.over.resolve(undefined);
    }
    if (current) {
      const oldest = now - INSTANCE_LAG_SECONDS - limits.liveWithinSeconds;
      current.news = current.news.filter(({ heardAt }) => heardAt >= oldest);
      current.carried.prune(clock());
      if (!current.isSummed) current.set.prune(clock());
    }
    const isSilent = current !== undefined && !isFresh();
    if (isSilent && !wasSilent) {
      log.error({ event: "revocations_stale" }, "the revocation feed is silent");
    }
    wasSilent = isSilent;
  }

  const looking = setInterval(look, limits.lookSeconds * 1000);
  const ended = keepConnected();

  return {
    isRevoked(claims, kid) {
      if (!current) return false;
      return current.set.isRevoked(claims, kid) || current.carried.isRevoked(claims, kid);
    },
    isFresh,
    ageSeconds,
    size: () => current?.set.size ?? 0,
    async close() {
      clearInterval(looking);
      stop.abort();
      await ended;
    },
  };
}
