/** The guard of a resource, put together: what is fetched and heard, and the check that stands on it. */
import type { Fetch } from "@daykey/client/internal/platform";
import { secureUrl } from "@daykey/client/internal/secure-url";
import { startChores } from "@daykey/common/chores";
import type { Clock } from "@daykey/common/clock";
import { PATHS, SIGNING_ALGORITHMS, type SigningAlgorithm } from "@daykey/common/protocol";
import { type AccessOutcome, type Check, createCheck } from "./check.ts";
import { readOwnCredential } from "./credential-file.ts";
import { createIssuerLink, createNoLink } from "./issuer-link.ts";
import { CONSOLE_LOG, type GuardLog } from "./log.ts";
import { createMemoryQuota } from "./quota/memory-quota.ts";
import { createChargeWindows, type QuotaDecision, type QuotaSettings } from "./quota/charge.ts";
import { createQuota } from "./quota/quota.ts";
import { USAGE_SECONDS } from "./quota/usage.ts";
import { createRefusals } from "./refusals.ts";
import type { FeedLimits, RevocationFeed } from "./revocation/revocations.ts";
import type { StalePolicy } from "./revocation/stale-policy.ts";
import { createMemoryStore, type GuardStore } from "./store.ts";
import { createBoundCertificates } from "./tokens/certificates.ts";
import { createTokenProofs, type DpopOptions } from "./tokens/proofs.ts";
import { createJwks } from "./tokens/jwks.ts";
import { createTokenValidator } from "./tokens/jwt.ts";
import { isOpaque } from "./tokens/opaque.ts";
import type { CredentialSource, OwnCredential } from "./tokens/own-client.ts";

/** Told what is decided, for the application's own metrics. */
export interface GuardMetrics {
  /** One request: which credential, and `granted` or the reason of the refusal. */
  access?(outcome: AccessOutcome): void;
  /** One request that has a quota. */
  quota?(decision: QuotaDecision): void;
}

export interface GuardOptions {
  /** Whose tokens are accepted, as `iss` says it. */
  issuer: string;
  /** This resource's URI: the audience of its tokens, and the authority that signatures must name. */
  resource: string;
  /**
   * The resource's own client at the issuer: the content of its credential file, its parts, or a source
   * that is asked again (`watchCredentialFile`). Without it nothing is heard of revocations and nobody can
   * be asked: JWTs alone are accepted, each until its end.
   */
  credential?: string | OwnCredential | CredentialSource | undefined;
  /** Where the issuer is reached from here, if not at `issuer`. */
  authServerUrl?: string | undefined;
  /** Where its keys are, if not at `/.well-known/jwks.json` there. */
  jwksUri?: string | undefined;
  /** Lets either be plain HTTP on another machine: whoever is between can then forge every token. */
  allowInsecureRequests?: boolean | undefined;
  /** Once nothing was heard for 15 s. `introspect` by default. */
  stalePolicy?: StalePolicy | undefined;
  /** All of the protocol's by default. */
  algorithms?: readonly SigningAlgorithm[] | undefined;
  /** A token with a longer life is refused; 3600 by default. */
  accessTokenMaxSeconds?: number | undefined;
  /** Most verified tokens kept in memory; 10,000 by default. */
  tokenCacheSize?: number | undefined;
  /** Also take signatures of the body alone. */
  simpleSignatures?: { defaultKeyId: string | undefined } | undefined;
  /** How DPoP is asked for. Tokens that are bound to a key are always taken, with their proof (RFC 9449). */
  dpop?: DpopOptions | undefined;
  /**
   * Proxies whose header `Client-Cert` (RFC 9440) says which certificate the caller proved: addresses and
   * CIDR ranges. Each must remove what its callers send by that name. From anyone else it is nothing.
   */
  clientCertProxies?: readonly string[] | undefined;
  /** Shared by all instances; in this process's memory by default. It is not closed by the guard. */
  store?: GuardStore | undefined;
  quota?: Partial<QuotaSettings> | undefined;
  log?: GuardLog | undefined;
  metrics?: GuardMetrics | undefined;
  fetch?: Fetch | undefined;
  /** Epoch seconds. */
  clock?: Clock | undefined;
  /** Seconds of a clock that nobody sets; it tells how old the feed is. */
  elapsed?: Clock | undefined;
  feedLimits?: Partial<FeedLimits> | undefined;
  /** Between reports of usage; 10 by default. */
  usageSeconds?: number | undefined;
}

export interface Guard {
  check: Check;
  /**
   * Resolves once every kind of credential can be checked: the keys are here and the feed has told
   * everything. Rejects with the signal's reason, or when the guard is closed.
   */
  ready(options?: { signal?: AbortSignal }): Promise<void>;
  /** What is missing to be ready, in a few words each; empty when nothing is. Asking also fetches. */
  health(): { keys?: string; revocations?: string };
  /** How old the news of revocations is and how many are known; undefined without a credential. */
  readonly revocations: Pick<RevocationFeed, "ageSeconds" | "size"> | undefined;
  /**
   * Ends what runs beside requests, and reports the usage that is left. From its call on every check is
   * refused with 503, since what was revoked would not be heard any more.
   */
  close(): Promise<void>;
}

const READY_LOOK_MS = 20;

/**
 * Starts at once: fetches the keys and listens to the feed. Checks fail with 503 until they are there.
 * @throws {TypeError} for what can never work: no issuer, another issuer's credential, an address that
 *   is not secure
 */
export function createGuard(options: GuardOptions): Guard {
  const settings = readOptions(options);
  const { issuer, resource, clock, elapsed, log, metrics, credential } = settings;
  const store = options.store ?? memoryStore(clock, log);
  const jwks = createJwks({ ...settings, uri: settings.jwksUri });
  const link = credential
    ? createIssuerLink({ ...settings, credential, nonces: store.nonces, jwks })
    : createNoLink(log);
  const { opaque, ...keys } = link.authenticators;
  const validateJwt = createTokenValidator({
    issuer,
    audience: resource,
    jwks,
    isRevoked: link.isRevoked,
    clock,
    maxLifeSeconds: options.accessTokenMaxSeconds ?? 3600,
    cacheSize: options.tokenCacheSize ?? 10_000,
  });
  const proofs = createTokenProofs({
    resource,
    isRequired: options.dpop?.required ?? false,
    nonceKey: options.dpop?.nonceKey,
    certificates: createBoundCertificates(options.clientCertProxies ?? []),
    useNonce: store.nonces.use,
    clock,
  });
  const closed = new AbortController();
  const check = createCheck({
    isClosed: () => closed.signal.aborted,
    refusals: createRefusals(resource, options.dpop?.required ?? false),
    proofs,
    authenticators: {
      ...keys,
      access_token: (token, request) => (isOpaque(token) ? opaque : validateJwt)(token, request),
    },
    charge: createQuota({
      charge: createChargeWindows({
        store: store.quotas,
        insurance: createMemoryQuota(clock),
        settings: { mode: "enforce", storeDown: "memory", ...options.quota },
        elapsed,
        log,
        count: (decision) => metrics.quota?.(decision),
      }),
      usage: link.usage,
    }),
    count: (outcome) => metrics.access?.(outcome),
    log,
  });
  // What has expired is deleted: every instance may do it.
  const cleaning = startChores(
    { cleanQuotas: () => store.quotas.clean(), cleanNonces: () => store.nonces.clean() },
    log,
  );

  const health: Guard["health"] = () => ({
    // Asking is also what fetches: now, and again with every look until there are keys.
    ...(jwks.isLoaded() ? {} : { keys: "not fetched from the issuer" }),
    ...(link.feed?.ageSeconds() === Infinity ? { revocations: "not heard yet" } : {}),
  });
  health();

  return {
    check,
    health,
    revocations: link.feed,
    async ready({ signal } = {}) {
      const ended = AbortSignal.any([closed.signal, ...(signal ? [signal] : [])]);
      for (;;) {
        ended.throwIfAborted();
        if (Object.keys(health()).length === 0) return;
        await new Promise((resolve) => setTimeout(resolve, READY_LOOK_MS));
      }
    },
    async close() {
      closed.abort(new Error("The guard is closed."));
      await Promise.all([link.feed?.close(), link.usage?.stop(), cleaning.stop()]);
    },
  };
}

/** It stands between quotation marks in a challenge. */
const QUOTABLE = /^[\x21\x23-\x5B\x5D-\x7E]+$/;

/** @throws {TypeError} */
function readOptions(options: GuardOptions) {
  const { issuer, resource, credential, allowInsecureRequests = false } = options;
  for (const [name, value] of Object.entries({ issuer, resource })) {
    if (typeof value !== "string" || !URL.canParse(value) || !QUOTABLE.test(value)) {
      throw new TypeError(`createGuard: ${name} is not an absolute URL`);
    }
  }
  const { authServerUrl = issuer } = options;
  const { jwksUri = new URL(PATHS.jwks, authServerUrl).href } = options;
  for (const url of [authServerUrl, jwksUri]) requireSecure(url, allowInsecureRequests);
  if (options.credential === "") throw new TypeError("createGuard: the credential is empty");
  const own = typeof credential === "string" ? readOwnCredential(credential, issuer) : credential;
  return {
    issuer,
    resource,
    authServerUrl,
    jwksUri,
    credential: own,
    stalePolicy: options.stalePolicy ?? { kind: "introspect" as const },
    algorithms: options.algorithms ?? SIGNING_ALGORITHMS,
    simpleSignatures: options.simpleSignatures,
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    // oxlint-disable-next-line daykey/no-current-time -- a library has no main.ts: this is its only look
    clock: options.clock ?? (() => Date.now() / 1000),
    elapsed: options.elapsed ?? (() => performance.now() / 1000),
    log: options.log ?? CONSOLE_LOG,
    metrics: options.metrics ?? {},
    limits: options.feedLimits,
    usageSeconds: options.usageSeconds ?? USAGE_SECONDS,
  };
}

function requireSecure(url: string, allowInsecureRequests: boolean): void {
  try {
    secureUrl(url, { allowInsecureRequests });
  } catch (cause) {
    const message = `createGuard: ${url} is neither https nor on this machine`;
    throw new TypeError(message, { cause });
  }
}

function memoryStore(clock: Clock, log: GuardLog): GuardStore {
  log.warn(
    { event: "memory_store" },
    "no store is given: quotas and nonces are this process's own",
  );
  return createMemoryStore(clock);
}
