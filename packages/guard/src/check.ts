/**
 * The check of every request: exactly one credential, valid, with the route's scope, within its quotas,
 * or a refusal. It stands before anything is parsed or computed. It takes data and returns data; adapters
 * (`koa.ts`, `express.ts`, …) turn both into what their framework has.
 */
import { isScopeToken } from "@daykey/common/scope";
import {
  type Access,
  type Authenticate,
  type CredentialKind,
  type Holder,
  InvalidCredential,
} from "./access.ts";
import { readCredential } from "./credential.ts";
import type { GuardLog, LogFields } from "./log.ts";
import type { RouteQuota } from "./quota/policy.ts";
import type { ChargeQuota } from "./quota/quota.ts";
import { type Refusal, refusalOf, type Refusals } from "./refusals.ts";
import { Refused } from "./refused.ts";
import type { TokenProofs } from "./tokens/proofs.ts";
import { type CheckRequest, type GuardedRequest, readRequest } from "./request.ts";

export interface CheckOptions {
  /** What the route needs: one scope. */
  scope: string;
  /** Clients for whom alone it is. */
  only?: readonly string[] | undefined;
  /** The route's own, beside those of the credential. */
  quota?: RouteQuota | undefined;
}

export interface Allowed {
  allowed: true;
  access: Access;
  /** For the answer, whatever it will be: what is left of quotas. */
  headers: Readonly<Record<string, string>>;
  log: LogFields;
}

export type CheckResult = Allowed | Refusal;

/**
 * Whether a request may do what needs this scope. Checked: the credential, whether it was revoked, its
 * scope, `only`, and quotas, which it is counted in; of a token that is bound to a key, whether the
 * request proves it. Not checked: a body that no signature covers, whether a bearer token was stolen or
 * comes again, and what the route itself decides, such as whose order this is.
 * @throws {TypeError} for a scope that is none; whatever is thrown, the request must not be let through
 */
export type Check = (request: CheckRequest, options: CheckOptions) => Promise<CheckResult>;

/** One for each kind of credential that is served; others are not credentials here. */
export type Authenticators = Readonly<
  Record<"access_token" | "api_key", Authenticate> & Partial<Record<CredentialKind, Authenticate>>
>;

/** What a credential came to: `granted`, or the reason of the refusal. Quotas are counted apart. */
export interface AccessOutcome {
  via: CredentialKind | "none";
  result: string;
}

/** The reasons of refusals that no credential is behind. */
const UNREAD: ReadonlySet<string> = new Set(["no_credential", "guard_closed"]);

/** @throws {TypeError} what is wrong with the options of a route, where the route is made */
export function requireOptions({ scope }: CheckOptions): void {
  if (typeof scope === "string" && isScopeToken(scope)) return;
  throw new TypeError("A route is protected by one scope, a token of RFC 6749 §3.3.");
}

export function createCheck({
  refusals,
  authenticators,
  proofs,
  charge,
  isClosed = () => false,
  count,
  log,
}: {
  refusals: Refusals;
  authenticators: Authenticators;
  proofs: TokenProofs;
  charge: ChargeQuota;
  /** From then on nothing is let through. What was begun before ends as it would have. */
  isClosed?: () => boolean;
  /** Told of each request. */
  count: (outcome: AccessOutcome) => void;
  log: GuardLog;
}): Check {
  const accepted = new Set(Object.keys(authenticators) as CredentialKind[]);

  /** @throws {Refused} or what no refusal is for; `noted` then says what is known of the caller */
  async function authorize(
    request: GuardedRequest,
    { scope, only }: CheckOptions,
    noted: LogFields,
  ): Promise<Access> {
    const note = ({ clientId, credential, grant }: Holder): void =>
      void Object.assign(noted, { client: clientId, kid: credential, grant });

    if (isClosed()) throw refusals.closed();

    // 1. Exactly one credential.
    const presented = readCredential(request, accepted);
    if (presented.kind === "none") throw refusals.noCredential(scope);
    if (presented.kind === "malformed") throw refusals.malformed(presented.detail, scope);
    const { kind, text, isDpop = false } = presented;
    noted.via = kind;

    // 2. Whose it is.
    const authenticate = authenticators[kind];
    if (!authenticate) throw new TypeError("readCredential: a kind that is not accepted");
    let access: Access;
    try {
      access = await authenticate(text, request);
      if (kind === "access_token") await proofs.require(access, { token: text, isDpop }, request);
    } catch (error) {
      if (error instanceof InvalidCredential && error.holder) note(error.holder);
      throw refusals.because(error, kind, scope);
    }
    note(access);

    // 3. What it may.
    if (!access.scope.includes(scope)) throw refusals.insufficientScope(scope, kind);
    if (only && !only.includes(access.clientId)) throw refusals.otherClient(kind, scope);
    return access;
  }

  return async (request, options) => {
    requireOptions(options);
    const noted: LogFields = {};
    let isGranted = false;
    try {
      const access = await authorize(readRequest(request), options, noted);
      isGranted = true;
      count({ via: access.via, result: "granted" });

      // 4. Whether its quotas have room.
      const { headers, wouldRefuse } = await charge(access, options.scope, options.quota);
      if (wouldRefuse) noted.quota = "would_refuse";
      return { allowed: true, access, headers: { ...proofs.headers(), ...headers }, log: noted };
    } catch (error) {
      if (!(error instanceof Refused)) {
        log.error({ event: "check_failed", err: error }, "a request could not be checked");
        throw error;
      }
      const refusal = refusalOf(error, noted);
      const { reason } = refusal;
      const via: AccessOutcome["via"] = noted.via ?? (UNREAD.has(reason) ? "none" : "access_token");
      if (!isGranted) count({ via, result: reason });
      return refusal;
    }
  };
}
