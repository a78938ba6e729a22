/**
 * Where a program gets its access token from: a source holds one, for one resource and scope, and knows
 * when to get the next. However many callers ask, one request is in flight. It holds no timer: renewal
 * begins with the first call in the last part of a token's life, beside that call, so no caller waits
 * while there is a token that works, and a fault of the auth-server is not seen until it has ended.
 */
import { type AccessToken, accessTokenOf } from "./access-token.ts";
import { TOKEN_EXCHANGE_GRANT, TOKEN_TYPES } from "@daykey/common/protocol";
import { formOf, requestByClientCredentials, type Wanted } from "./client-credentials.ts";
import type { ClientCredential } from "./credential.ts";
import { discovery } from "./discovery.ts";
import { DaykeyError } from "./errors.ts";
import { type Platform, platformWith } from "./platform.ts";
import { createRefresh } from "./refresh.ts";
import { secureUrl } from "./secure-url.ts";
import { createServerClock, type ServerClock } from "./server-clock.ts";
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
  /**
   * Where tokens come from that act on behalf of another token's subject (RFC 8693): each is exchanged for
   * when it is needed, by this source's client, and ends with the subject's token. Nothing is asked yet.
   * @param subjectToken an access token of this issuer, or with `type` `"jwt"` a trusted issuer's assertion
   */
  exchange(subjectToken: string, options?: ExchangeOptions): TokenSource;
  /**
   * Forgets the tokens and ends what is in flight; every later call throws `closed`, of its exchanges too.
   */
  close(): void;
}

export interface ExchangeOptions {
  /** `"access_token"` by default. */
  type?: "access_token" | "jwt" | undefined;
  /** As in `TokenSourceOptions`, and the same if left out. */
  resource?: string | undefined;
  /** Without it, all that the subject and this client may both do there. */
  scope?: readonly string[] | undefined;
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
  const life = new AbortController();
  const wanted = { resource, scope };
  const endpoint = createTokenEndpoint({
    issuer,
    credential,
    serverClock,
    platform,
    timeoutSeconds,
    dpop: options.dpop,
    async url(signal) {
      if (url) return url;
      const asked = { ...insecure, timeoutSeconds, signal, platform };
      const { tokenEndpoint, mtlsTokenEndpoint = tokenEndpoint } = await discovery(issuer, asked);
      const isMutual = credential.method === "tls_client_auth";
      url = secureUrl(isMutual ? mtlsTokenEndpoint : tokenEndpoint, insecure);
      return url;
    },
  });
  const refresh = createRefresh({ endpoint, wanted, clock: platform.clock, timeoutSeconds });

  /** Refresh first; the secret when there is nothing to refresh with. */
  async function obtain(signal: AbortSignal): Promise<TimedTokenSet> {
    const refreshed = await refresh.request(signal);
    if (refreshed) return refreshed;
    const opened = await requestByClientCredentials(endpoint, wanted, signal);
    refresh.keep(opened);
    return opened;
  }

  const parts = { platform, serverClock, timeoutSeconds, parent: life.signal };
  function exchange(subjectToken: string, wish: ExchangeOptions = {}): TokenSource {
    const target = { resource: wish.resource ?? resource, scope: wish.scope };
    const form = {
      grant_type: TOKEN_EXCHANGE_GRANT,
      subject_token: subjectToken,
      subject_token_type: wish.type === "jwt" ? TOKEN_TYPES.jwt : TOKEN_TYPES.accessToken,
      ...formOf(target),
    } as const;
    const obtainByExchange = async (signal: AbortSignal): Promise<TimedTokenSet> =>
      endpoint.request(form, signal);
    const holder = createHolder({ ...parts, wanted: target, obtain: obtainByExchange });
    return { ...holder, exchange };
  }

  const holder = createHolder({ ...parts, life, wanted, obtain, isRenewedAhead: true });
  return {
    ...holder,
    exchange,
    close() {
      holder.close();
      refresh.forget();
    },
  };
}

/** Holds one token, and gets the next when it is due. */
function createHolder({
  wanted: { resource, scope },
  obtain,
  isRenewedAhead = false,
  platform,
  serverClock,
  timeoutSeconds,
  parent,
  life = new AbortController(),
}: {
  wanted: Wanted;
  obtain: (signal: AbortSignal) => Promise<TimedTokenSet>;
  /** Beside the calls of its last part. An exchange gives no longer life before its own token has ended. */
  isRenewedAhead?: boolean;
  platform: Platform;
  serverClock: ServerClock;
  timeoutSeconds: number;
  /** Aborted once the source is closed that this one exchanges for. */
  parent: AbortSignal;
  life?: AbortController;
}): Omit<TokenSource, "exchange"> {
  const tries = createTries({ platform, timeoutSeconds });
  let held: Held | undefined;
  let inFlight: { work: Promise<AccessToken>; begunAt: number } | undefined;
  let refusedAt = -Infinity;

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
    const endsAt = expiresAt - Math.min(MARGIN_SECONDS, expiresInSeconds * MARGIN_PART);
    const renewAt = isRenewedAhead ? askedAt + expiresInSeconds * part : endsAt;
    held = { token, obtainedAt: askedAt, renewAt, endsAt };
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
      parent.throwIfAborted();
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
