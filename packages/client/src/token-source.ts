/**
 * Where a program gets its access token from: a source holds one, for one resource and scope, and knows
 * when to get the next. However many callers ask, one request is in flight. It holds no timer: renewal
 * begins with the first call in the last part of a token's life, beside that call, so no caller waits
 * while there is a token that works, and a fault of the auth-server is not seen until it has ended.
 */
import { type AccessToken, accessTokenOf } from "./access-token.ts";
import { requestByClientCredentials } from "./client-credentials.ts";
import type { ClientCredential } from "./credential.ts";
import { discovery } from "./discovery.ts";
import { DaykeyError } from "./errors.ts";
import { type Platform, platformWith } from "./platform.ts";
import { createRefresh } from "./refresh.ts";
import { secureUrl } from "./secure-url.ts";
import { createServerClock } from "./server-clock.ts";
import { createTokenEndpoint, type DpopWish, type TimedTokenSet } from "./token-endpoint.ts";
import { createTries } from "./tries.ts";

export interface TokenSource {
  /** What the tokens are for; undefined for the client's default. */
  readonly resource: string | undefined;
  /**
   * A token that will work for a little while yet. An aborted signal ends this caller's waiting, not the
   * request, which others may wait for.
   * @throws {DaykeyError}, or the signal's reason
   */
  token(options?: { signal?: AbortSignal | null | undefined }): Promise<AccessToken>;
  /**
   * Tells that the resource refused this token as invalid: the next call gets another. Passed over for
   * one that is not the current one, and soon after the last time: a resource that refuses every token
   * does not make the source hammer the auth-server.
   */
  refused(token: AccessToken): void;
  /** Forgets the tokens and ends what is in flight; every later call throws `closed`. */
  close(): void;
}

export interface TokenSourceOptions {
  /** The auth-server's address, exactly as in its metadata. */
  issuer: string;
  credential: ClientCredential;
  /** Without it, the issuer's metadata is asked once. */
  tokenEndpoint?: string | undefined;
  /** Without it, the client's first resource. */
  resource?: string | undefined;
  /** Scope tokens. Without it, all that the client has there. */
  scope?: readonly string[] | undefined;
  /**
   * Asks for access tokens that are bound to a key (RFC 9449), so that they are worth nothing to a thief:
   * `true` to a new key of this process, `"day-key"` to the one that the secret yields for the day, for a
   * client that is registered so, with the one-time form.
   */
  dpop?: DpopWish | undefined;
  /** For one request with its answer; 10 by default, at most 30. */
  timeoutSeconds?: number | undefined;
  /** Lets secrets travel over plain http to other machines: for a network that is itself trusted. */
  allowInsecureRequests?: boolean | undefined;
  platform?: Partial<Platform> | undefined;
}

/** Renewal begins at a random point of this part of a token's life, so that many clients spread. */
const RENEW_FROM = 0.75;
const RENEW_UNTIL = 0.9;
/** A token is not handed out in the last seconds of its life: it must still arrive. */
const MARGIN_SECONDS = 10;
const MARGIN_PART = 0.1;
const REFUSED_PAUSE_SECONDS = 10;
/** Three tries of a refresh and a new grant, the metadata before, all of them slow: never as long. */
const FROZEN_AFTER_TIMEOUTS = 10;

interface Held {
  token: AccessToken;
  obtainedAt: number;
  renewAt: number;
  /** From then on it is not handed out. */
  endsAt: number;
}

/** @throws {TypeError} for a timeout out of range; {DaykeyError} `insecure_url` */
export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const { issuer, credential, resource, scope, timeoutSeconds = 10 } = options;
  if (!(timeoutSeconds > 0 && timeoutSeconds <= 30)) {
    throw new TypeError("timeoutSeconds is above 0 and at most 30");
  }
  const platform = platformWith(options.platform);
  const insecure = { allowInsecureRequests: options.allowInsecureRequests ?? false };
  secureUrl(issuer, insecure);
  let url =
    options.tokenEndpoint === undefined ? undefined : secureUrl(options.tokenEndpoint, insecure);

  const serverClock = createServerClock(platform.clock);
  const wanted = { resource, scope };
  const endpoint = createTokenEndpoint({
    issuer,
    credential,
    serverClock,
    platform,
    timeoutSeconds,
    dpop: options.dpop,
    async url(signal) {
      url ??= secureUrl(
        (await discovery(issuer, { ...insecure, timeoutSeconds, signal, platform })).tokenEndpoint,
        insecure,
      );
      return url;
    },
  });
  const refresh = createRefresh({ endpoint, wanted, clock: platform.clock, timeoutSeconds });
  const tries = createTries({ platform, timeoutSeconds });

  const life = new AbortController();
  let held: Held | undefined;
  let inFlight: { work: Promise<AccessToken>; begunAt: number } | undefined;
  let refusedAt = -Infinity;

  /** Refresh first; the secret when there is nothing to refresh with. */
  async function obtain(signal: AbortSignal): Promise<TimedTokenSet> {
    const refreshed = await refresh.request(signal);
    if (refreshed) return refreshed;
    const opened = await requestByClientCredentials(endpoint, wanted, signal);
    refresh.keep(opened);
    return opened;
  }

  function hold(tokens: TimedTokenSet): AccessToken {
    const { accessToken, askedAt, expiresInSeconds, dpopKey } = tokens;
    const expiresAt = askedAt + expiresInSeconds;
    const token = accessTokenOf(accessToken, {
      scope: tokens.scope ?? scope ?? [],
      expiresAt,
      ...(dpopKey && {
        prove: (call) => dpopKey.prove({ ...call, accessToken, now: serverClock.now() }),
      }),
    });
    const part = RENEW_FROM + (RENEW_UNTIL - RENEW_FROM) * platform.random();
    held = {
      token,
      obtainedAt: askedAt,
      renewAt: askedAt + expiresInSeconds * part,
      endsAt: expiresAt - Math.min(MARGIN_SECONDS, expiresInSeconds * MARGIN_PART),
    };
    return token;
  }

  /** Some runtimes freeze what a request leaves behind, timers too: its renewal never settles. */
  function isFrozen(begunAt: number): boolean {
    return platform.clock() - begunAt > FROZEN_AFTER_TIMEOUTS * timeoutSeconds;
  }

  function renew(): Promise<AccessToken> {
    if (inFlight && !isFrozen(inFlight.begunAt)) return inFlight.work;
    const renewal = {
      begunAt: platform.clock(),
      work: tries
        .run(obtain, life.signal)
        .then(hold)
        .finally(() => {
          if (inFlight === renewal) inFlight = undefined;
        }),
    };
    inFlight = renewal;
    return renewal.work;
  }

  return {
    resource,
    async token({ signal } = {}) {
      signal?.throwIfAborted();
      life.signal.throwIfAborted();
      const now = serverClock.now();
      // A clock that was set back says nothing of a token's age.
      if (held && (now >= held.endsAt || now < held.obtainedAt - MARGIN_SECONDS)) held = undefined;
      if (!held) return whileNotAborted(renew(), signal);
      // What goes wrong beside a token that works is told once it does not.
      if (now >= held.renewAt) renew().catch(() => {});
      return held.token;
    },
    refused(token) {
      const passed = platform.clock() - refusedAt;
      const isSoon = passed >= 0 && passed < REFUSED_PAUSE_SECONDS;
      if (token !== held?.token || isSoon) return;
      refusedAt = platform.clock();
      held = undefined;
    },
    close() {
      held = undefined;
      refresh.forget();
      life.abort(new DaykeyError("closed", "The token source is closed"));
    },
  };
}

/** The work's outcome, unless the signal is aborted before. */
function whileNotAborted<T>(work: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
