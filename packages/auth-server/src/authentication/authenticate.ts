/**
 * Client authentication (RFC 6749 §2.3, docs/protocol.md §1). Owns the one answer: an unknown client,
 * a wrong, expired or revoked secret or key, a disabled client and an unregistered method all look the
 * same from outside and cost the same; only the log distinguishes them.
 */
import type { ClientCertificate } from "@daykey/common/client-certificate";
import { type Clock, formatInstant } from "@daykey/common/clock";
import { OAuthError } from "@daykey/common/oauth-error";
import { type AuthMethod, CLIENT_ID } from "@daykey/common/protocol";
import type { Attempt, Attempts } from "./attempts.ts";
import type { AssertionChecker, AssertionProof } from "./authenticate-private-key-jwt.ts";
import type { CertificateChecker } from "./authenticate-certificate.ts";
import { checkCredential, type Proof } from "./authenticate-secret-hash.ts";
import type { Client, VerifiedClient } from "../clients/client.ts";
import type { ClientCache, ClientEntry } from "../clients/client-cache.ts";
import {
  type ClientCredential,
  type Credential,
  readCredential,
  type SecretCredential,
} from "./credential.ts";
import { thumbprintOfDayKey } from "./dpop-keys.ts";
import type { LastUsed } from "./last-used.ts";
import type { WriteLimit } from "../clients/write-limits.ts";
import type { ReplayStore } from "./replay-store.ts";
import type { WorkloadCredential, Workloads } from "./workload.ts";

export interface AuthenticationRequest {
  form: ReadonlyMap<string, string>;
  authorization: string | undefined;
  /** What the client proved in a handshake of TLS. */
  certificate: ClientCertificate | undefined;
  /** The client's address as a limiter key. */
  addressKey: string;
  /** Whether tokens are asked for: the seed-compatible hash and a workload's assertion are good for nothing else. */
  isForTokens: boolean;
  /** Told what a log line may say, as soon as it is known. */
  note(fields: object): void;
}

export interface ClientAuthenticator {
  /**
   * @throws {OAuthError} invalid_request, invalid_client (invalid_grant where the credential is the grant,
   *   RFC 7521 §4.1.1), slow_down or temporarily_unavailable
   */
  authenticate(request: AuthenticationRequest): Promise<VerifiedClient>;
}

/** What a credential proved, whatever its kind, and what an allowed one still has to pass. */
interface Proven {
  /** The kid of the secret or key. */
  kid: string;
  /** Epoch seconds; undefined: it has no end of its own. */
  expiresAt: number | undefined;
  /** Those that the client must be registered for. */
  methods: readonly AuthMethod[];
  /** Whether by the seed-compatible hash. */
  isSeed?: boolean;
  once?: {
    /** To be used up. */
    nonce: { kid: string; nonce: string; issuedAt: number; expiresAt: number };
    isFresh: boolean;
    /** What the holder of the key gets as the reason when it is not. */
    notFresh: string;
  };
  /** The key of the day, of a one-time hash. */
  dayKey?: Uint8Array;
}

/** The longest life of an access token that the seed-compatible hash opens. */
const SEED_ACCESS_TOKEN_SECONDS = 900;

/** How long a one-time hash's nonce is remembered after its `when`, in seconds. */
const NONCE_LIFE_SECONDS = 900;

/**
 * In a nonce's place for a kid: a jti is its client's, whichever key it signed with (RFC 7523 §3). No
 * secret has such a kid.
 */
const ANY_KEY = "jti";

/** No client has this id, as it is not a valid one: what an invalid id is looked up and counted as. */
const NOBODY = "-";

export function createClientAuthenticator({
  cache,
  assertions,
  certificates,
  workloads,
  replays,
  limitNonces,
  lastUsed,
  attempts,
  issuer,
  seedHash,
  isOpenToIdJag,
  clock,
}: {
  cache: ClientCache;
  assertions: AssertionChecker;
  certificates: CertificateChecker;
  workloads: Workloads;
  replays: ReplayStore;
  limitNonces: WriteLimit;
  lastUsed: Pick<LastUsed, "used">;
  attempts: Attempts;
  issuer: string;
  /** Whether the seed-compatible hash is taken at all. */
  seedHash: boolean;
  isOpenToIdJag: boolean;
  clock: Clock;
}): ClientAuthenticator {
  async function verify(
    credential: ClientCredential,
    { note, isForTokens }: AuthenticationRequest,
    attempt: Attempt,
  ): Promise<VerifiedClient> {
    const { clientId } = credential;
    const entry = await cache.find(clientId);
    const now = clock();
    const proven = await prove(credential, entry, now);
    const { client } = entry;
    // Only an id that exists is logged: what else stands there may be a secret in the wrong field.
    if (client) note({ client: client.clientId });
    if (typeof proven !== "string") note({ kid: proven.kid });

    const fault = faultOf(client, proven, { now, takesSeedHash: seedHash && isForTokens });
    if (fault !== undefined || !client || typeof proven === "string") {
      throw failure(fault ?? "unknown_client");
    }
    attempt.passed();
    if (proven.once) {
      const { nonce, isFresh, notFresh } = proven.once;
      if (!isFresh) throw clockSkew(notFresh, now);
      await limitNonces(clientId);
      const isFirst = await replays.use({ clientId, ...nonce });
      if (!isFirst) throw failure("replayed");
    }
    lastUsed.used(clientId, proven.kid);
    const limits = proven.isSeed === true ? seedLimits(client) : {};
    const { dayKey } = proven;
    const bound = client.dpop === "day-key" &&
      dayKey && { dayKeyThumbprint: thumbprintOfDayKey(dayKey) };
    return { ...client, ...limits, ...bound, credential: proven.kid } as VerifiedClient;
  }

  /** The client that a rule of trust makes of a workload. */
  async function letIn(
    credential: WorkloadCredential,
    { note, isForTokens, addressKey }: AuthenticationRequest,
  ): Promise<VerifiedClient> {
    if (!isForTokens) throw failure("workload_for_tokens_only");
    // No client's id begins like this: an issuer's failures are counted apart from all clients'.
    const counted = `${NOBODY}${workloads.issuerOf(credential) ?? ""}`;
    const attempt = attempts.begin(counted, addressKey);
    const admitted = await workloads.admit(credential, note);
    if ("reason" in admitted) {
      // A workload that no rule fits is no guesser, and must not stop its neighbours behind one address.
      if (!admitted.isProven) attempt.failed();
      throw failure(admitted.reason);
    }
    const { client, cred, nonce, accessTokenSeconds, ...rest } = admitted;
    note({ client: client.clientId, kid: cred });
    if (nonce) {
      await limitNonces(client.clientId);
      if (!(await replays.use(nonce))) throw failure("replayed");
    }
    const limit = { ...(accessTokenSeconds && { accessTokenLimitSeconds: accessTokenSeconds }) };
    const grantTypes = client.grantTypes.filter((name) => name !== "refresh_token");
    return {
      ...client,
      ...rest,
      ...limit,
      grantTypes,
      credential: cred,
    } as unknown as VerifiedClient;
  }

  /** What is proved, or why nothing is. */
  async function prove(
    credential: ClientCredential,
    entry: ClientEntry,
    now: number,
  ): Promise<Proven | string> {
    if (credential.via === "private_key_jwt") {
      const proof = await assertions.check(credential, entry);
      return typeof proof === "string" ? proof : byAssertion(proof);
    }
    if (credential.via === "tls") {
      const proof = await certificates.check(credential.certificate, entry, now);
      if (typeof proof === "string") return proof;
      return { kid: proof.kid, expiresAt: undefined, methods: [proof.method] };
    }
    const proof = checkCredential(credential, entry, { issuer, now });
    return proof ? bySecret(credential, proof) : "wrong_credential";
  }

  return {
    async authenticate(request) {
      const { form, authorization, certificate, addressKey, note } = request;
      let read: Credential | undefined;
      try {
        const doors = { ...workloads, isOpenToIdJag, parse: assertions.parse, certificate };
        read = readCredential(form, authorization, doors);
        note({ authMethod: read.via });
        if (read.via === "workload") return await letIn(read, request);
        const credential = withPossibleId(read);
        const attempt = attempts.begin(credential.clientId, addressKey);
        try {
          return await verify(credential, request, attempt);
        } catch (error) {
          if (isBadCredential(error)) attempt.failed();
          throw error;
        }
      } catch (error) {
        if (read?.via === "workload" && read.door === "grant") throw asGrantError(error);
        throw authorization === undefined ? error : withChallenge(error, issuer);
      }
    },
  };
}

/** Where the assertion is the grant, that is what is wrong (RFC 7521 §4.1.1). */
function asGrantError(error: unknown): unknown {
  if (!(error instanceof OAuthError) || error.code !== "invalid_client") return error;
  return new OAuthError("invalid_grant", "The assertion cannot be used.", {
    detail: error.detail ?? "",
    cause: error.cause,
  });
}

/** Ids that no client can have are one: 16 KiB of anything fills neither the cache nor the limiter. */
function withPossibleId(credential: ClientCredential): ClientCredential {
  return CLIENT_ID.test(credential.clientId) ? credential : { ...credential, clientId: NOBODY };
}

/** The reason, for the log alone, why this does not authenticate this client. */
function faultOf(
  client: Client | undefined,
  proven: Proven | string,
  { now, takesSeedHash }: { now: number; takesSeedHash: boolean },
): string | undefined {
  if (!client) return "unknown_client";
  if (typeof proven === "string") return proven;
  if ((proven.expiresAt ?? Infinity) <= now) return "expired_secret";
  if (!client.enabled) return "disabled_client";
  if (proven.isSeed === true && !takesSeedHash) return "seed_hash_not_taken";
  return proven.methods.every((method) => client.authMethods.includes(method))
    ? undefined
    : "method_not_registered";
}

function byAssertion({ kid, jti, issuedAt, forgottenAt, isFresh }: AssertionProof): Proven {
  const nonce = { kid: ANY_KEY, nonce: jti, issuedAt, expiresAt: forgottenAt };
  const once = { nonce, isFresh, notFresh: "The assertion's times are too far from now" };
  return { kid, expiresAt: undefined, methods: ["private_key_jwt"], once };
}

function bySecret(credential: SecretCredential, proof: Proof): Proven {
  const { kid, expiresAt } = proof.slot;
  const isSeed = proof.form === "seed";
  const proven: Proven = { kid, expiresAt, methods: methodsNeeded(credential, proof), isSeed };
  if (!proof.once) return proven;
  const { nonce, whenAt, isFresh, dayKey } = proof.once;
  const used = { kid, nonce, issuedAt: whenAt, expiresAt: whenAt + NONCE_LIFE_SECONDS };
  return {
    ...proven,
    once: { nonce: used, isFresh, notFresh: "The hash is dated too far from now" },
    dayKey,
  };
}

/** A day form in place of the secret needs both: the way it travels, and the form. */
function methodsNeeded({ via }: SecretCredential, { form }: Proof): AuthMethod[] {
  const needed: AuthMethod[] = via === "client_secret_hash" ? [] : [via];
  if (form === "day") needed.push("client_secret_hash_day");
  if (form === "once") needed.push("client_secret_hash_once");
  if (form === "seed") needed.push("client_secret_hash_seed");
  return needed;
}

/** An old form for old programs (docs/protocol.md §1.9): no refresh token, no access token that lives long. */
function seedLimits({ grantTypes }: Client): Partial<VerifiedClient> {
  return {
    grantTypes: grantTypes.filter((name) => name !== "refresh_token"),
    accessTokenLimitSeconds: SEED_ACCESS_TOKEN_SECONDS,
  };
}

function failure(detail: string): OAuthError {
  return new OAuthError("invalid_client", "Client authentication failed.", { detail });
}

/** Only the holder of the key comes here, so the server's time can be named (docs/protocol.md §1). */
function clockSkew(fault: string, now: number): OAuthError {
  const description = `${fault}: the server's time is ${formatInstant(now)}.`;
  return new OAuthError("invalid_client", description, { detail: "clock_skew" });
}

function isBadCredential(error: unknown): boolean {
  return (
    error instanceof OAuthError && error.code === "invalid_client" && error.detail !== "clock_skew"
  );
}

/** RFC 6749 §5.2: a 401 names the scheme if, and only if, the client used the Authorization header. */
function withChallenge(error: unknown, issuer: string): unknown {
  if (!(error instanceof OAuthError) || error.status !== 401) return error;
  return new OAuthError(error.code, error.description, {
    detail: error.detail ?? "",
    cause: error.cause,
    headers: { "WWW-Authenticate": `Basic realm="${issuer}", charset="UTF-8"` },
  });
}
