/**
 * What an assertion of a trusted issuer is worth here: the checks of RFC 7523 §3, then the rules. Every door
 * asks here, and so does `explain`, which tells an operator more. It writes nothing and uses nothing up.
 */
import { createHash } from "node:crypto";
import type { Clock } from "@daykey/common/clock";
import type { JsonObject } from "@daykey/common/json-numbers";
import { isTyped } from "@daykey/common/jws";
import { ID_JAG_TYP } from "@daykey/common/protocol";
import { OAuthError } from "@daykey/common/oauth-error";
import { intersection } from "@daykey/common/scope";
import { isOnlyAudience, type JwtAssertion } from "../authentication/client-assertion.ts";
import type { Nonce } from "../authentication/replay-store.ts";
import type {
  Admitted,
  NotAdmitted,
  WorkloadCredential,
  WorkloadDoor,
  Workloads,
} from "../authentication/workload.ts";
import type { ClientCache } from "../clients/client-cache.ts";
import { type DirectoryEntry, isOfSpiffe, type TrustDirectory } from "./directory.ts";
import { fillTemplates } from "./ext.ts";
import type { IssuerKeys } from "./issuer-keys.ts";
import { type CompiledRule, type Unmet, unmetOf } from "./rule.ts";
import { trustDomainOf, type TrustedIssuer } from "./trusted-issuer.ts";

/** A rule, and what of it a token does not meet: nothing where it fits. */
export interface Judged {
  rule: CompiledRule;
  unmet: readonly Unmet[];
}

/** Which of the rules that fit lets in, if one does. */
export interface Decision {
  rule: CompiledRule | undefined;
  /** For the log, where none does. */
  reason: string;
}

export interface TrustEngine extends Workloads {
  /** The issuer that would have to answer for an assertion, where one is trusted. */
  entryOf(credential: Omit<WorkloadCredential, "via">): DirectoryEntry | undefined;
  /** What is wrong with an assertion whoever signed it and whenever it comes, as a reason for the log. */
  formFault(assertion: JwtAssertion, issuer: TrustedIssuer, door: WorkloadDoor): string | undefined;
  timeFault(assertion: JwtAssertion, issuer: TrustedIssuer): string | undefined;
  signatureFault: IssuerKeys["faultOf"];
  /** Among rules that fit. @param clientId the client that is asked for, if one is */
  decide(fitting: readonly CompiledRule[], clientId: string | undefined): Decision;
  /** What a rule makes of its client, or why it makes nothing of it, as a reason for the log. */
  take(rule: CompiledRule, claims: JsonObject): Promise<Taken | NotTaken>;
}

type Taken = Pick<Admitted, "client" | "scopes" | "resources" | "accessTokenSeconds" | "ext">;

interface NotTaken {
  /** For the log. */
  reason: string;
  /** The path of a claim that `ext` of the rule needs, and the token lacks. */
  claim?: string;
}

/** How far clocks may be apart. */
const TOLERANCE_SECONDS = 30;
/** A jti is remembered so much longer than its token lives, since the database's clock forgets it. */
const FORGET_MARGIN_SECONDS = 300;
/** It stands in each access token. */
const MAX_SUBJECT_LENGTH = 1024;
/** In a nonce's place for a kid; no secret has such a one. */
const OF_ISSUER = "iss";
/** A refusal looks at no more rules for the nearest: first at those that could have fitted. */
const NEAREST_AMONG = 50;

export function createTrustEngine({
  directory,
  keys,
  cache,
  issuer: ownIssuer,
  clock,
}: {
  directory: TrustDirectory;
  keys: IssuerKeys;
  cache: ClientCache;
  issuer: string;
  clock: Clock;
}): TrustEngine {
  const entryOf: TrustEngine["entryOf"] = ({ door, assertion }) => {
    if (!assertion) return undefined;
    const isSvid = door === "jwt_spiffe";
    const iss = isSvid ? trustDomainOf(assertion.subject) : assertion.issuer;
    const entry = iss === undefined ? undefined : directory.find(iss);
    return entry && isOfSpiffe(entry.issuer) === isSvid ? entry : undefined;
  };

  const formFault: TrustEngine["formFault"] = (assertion, issuer, door) => {
    const { typ, subject, algorithm, audience, jti, issuedAt } = assertion;
    // An access token or an ID of another kind is no assertion (RFC 8725 §3.11).
    const isPlain = typ === undefined || isTyped(typ, "JWT") || isTyped(typ, "JOSE");
    if (door === "id_jag" ? !isTyped(typ, ID_JAG_TYP) : !isPlain) return "assertion_typ";
    if (door === "id_jag" && (!jti || issuedAt === undefined)) return "malformed_assertion";
    if (!algorithm || !issuer.algorithms.includes(algorithm)) return "assertion_algorithm";
    if (subject === "" || subject.length > MAX_SUBJECT_LENGTH) return "assertion_subject";
    if (jti !== undefined && (typeof jti !== "string" || jti === "")) return "malformed_assertion";
    const expected = issuer.audiences.length > 0 ? issuer.audiences : [ownIssuer];
    return isOnlyAudience(audience, expected) ? undefined : "assertion_audience";
  };

  const timeFault: TrustEngine["timeFault"] = (
    { expiresAt, issuedAt, notBefore },
    { maxAgeSeconds },
  ) => {
    const now = clock();
    const latest = now + TOLERANCE_SECONDS;
    if (expiresAt <= now - TOLERANCE_SECONDS) return "assertion_expired";
    if ((issuedAt ?? now) > latest || (notBefore ?? now) > latest) return "assertion_of_the_future";
    const isOld =
      issuedAt === undefined
        ? expiresAt > latest + maxAgeSeconds
        : issuedAt + maxAgeSeconds < now - TOLERANCE_SECONDS;
    return isOld ? "assertion_too_old" : undefined;
  };

  const decide: TrustEngine["decide"] = (fitting, clientId) => {
    const wanted = fitting.filter((rule) => clientId === undefined || rule.clientId === clientId);
    const clients = new Set(wanted.map((rule) => rule.clientId));
    if (clients.size === 0) return { rule: undefined, reason: "no_rule" };
    if (clients.size > 1) return { rule: undefined, reason: "several_clients" };
    const [rule] = wanted.toSorted(bySpecificity);
    return { rule, reason: "" };
  };

  const take: TrustEngine["take"] = async (rule, claims) => {
    const { client } = await cache.find(rule.clientId);
    if (!client) return { reason: "unknown_client" };
    if (!client.enabled) return { reason: "disabled_client" };
    if (!client.authMethods.includes("workload")) return { reason: "method_not_registered" };
    const filled = rule.ext ? fillTemplates(rule.ext, claims) : { ext: client.ext ?? {} };
    if ("reason" in filled) return filled;
    return {
      client,
      scopes: rule.scopes ? intersection(rule.scopes, client.scopes) : client.scopes,
      resources: rule.resources ? intersection(rule.resources, client.resources) : client.resources,
      accessTokenSeconds: rule.accessTokenSeconds,
      ext: filled.ext,
    };
  };

  /** The rule that has least against a token, for the log; of its condition the path alone is told. */
  function nearest(entry: DirectoryEntry, claims: JsonObject, clientId: string | undefined) {
    const others = entry.rulesOf(clientId).slice(0, NEAREST_AMONG);
    const judged = [...new Set([...entry.candidates(claims), ...others])]
      .filter((rule) => rule.state !== "disabled" && (!clientId || rule.clientId === clientId))
      .slice(0, NEAREST_AMONG)
      .map((rule) => ({ rule, unmet: unmetOf(rule, claims) }));
    const met = ({ rule, unmet }: Judged): number => rule.compiled.length - unmet.length;
    const [best] = judged.toSorted((a, b) => a.unmet.length - b.unmet.length || met(b) - met(a));
    return best && { nearestRule: best.rule.name, condition: best.unmet[0]?.claim };
  }

  const admit: TrustEngine["admit"] = async (credential, note) => {
    const { assertion } = credential;
    const stranger = (reason: string): NotAdmitted => ({ reason, isProven: false });
    const proven = (reason: string): NotAdmitted => ({ reason, isProven: true });
    if (!assertion) return stranger("malformed_assertion");
    const entry = entryOf(credential);
    if (!entry) return stranger("unknown_issuer");
    const { issuer } = entry;
    note({ trustedIssuer: issuer.name });
    if (!issuer.enabled) return stranger("issuer_disabled");
    const formless = formFault(assertion, issuer, credential.door);
    if (formless !== undefined) return stranger(formless);
    const unsigned = await keys.faultOf(assertion, entry);
    if (unsigned === "issuer_keys_unavailable") throw unavailable();
    if (unsigned) return stranger(unsigned);
    // From here on the issuer has spoken.
    const untimely = timeFault(assertion, issuer);
    if (untimely !== undefined) return proven(untimely);

    const clientId = clientIdOf(credential);
    const { claims, subject } = assertion;
    const fitting = entry.candidates(claims).filter((rule) => unmetOf(rule, claims).length === 0);
    const enabled = fitting.filter(({ state }) => state === "enabled");
    const { rule, reason } = decide(enabled, clientId);
    const dry = decide(
      fitting.filter(({ state }) => state === "dry_run"),
      clientId,
    );
    if (dry.rule) note({ dryRunRule: dry.rule.name, dryRunClient: dry.rule.clientId });
    if (!rule) {
      if (reason === "no_rule") note(nearest(entry, claims, clientId) ?? {});
      return proven(reason);
    }
    note({ rule: rule.name, subject });
    const taken = await take(rule, claims);
    if ("reason" in taken) {
      if (taken.claim !== undefined) note({ extClaim: taken.claim });
      return proven(taken.reason);
    }
    const workload = { iss: issuer.iss, sub: subject };
    return { ...taken, cred: rule.cred, workload, nonce: nonceOf(assertion, issuer) };
  };

  return {
    isOpen: directory.hasIssuer,
    isOpenToSpiffe: directory.hasSpiffeIssuer,
    knows: (iss) => {
      const entry = directory.find(iss);
      return entry !== undefined && !isOfSpiffe(entry.issuer);
    },
    resourcesOf: (clientId, cred) => directory.ruleOf(clientId, cred)?.resources,
    issuerOf: (credential) => entryOf(credential)?.issuer.name,
    admit,
    entryOf,
    formFault,
    timeFault,
    signatureFault: keys.faultOf,
    decide,
    take,
  };
}

/** A JWT-SVID's client may be named by its SPIFFE ID; the rules know it by that already. */
function clientIdOf({ door, clientId, assertion }: WorkloadCredential): string | undefined {
  const isSubject = door === "jwt_spiffe" && clientId === assertion?.subject;
  return isSubject ? undefined : clientId;
}

/** Orders rules for one client: the one that asks for most comes first, then by name. */
function bySpecificity(a: CompiledRule, b: CompiledRule): number {
  return b.compiled.length - a.compiled.length || (a.name < b.name ? -1 : 1);
}

/** What keeps a token from being used again: its `jti` is its issuer's, whatever it looks like. */
function nonceOf(
  { jti, expiresAt, issuedAt }: JwtAssertion,
  { name, maxAgeSeconds, reusable }: TrustedIssuer,
): Nonce | undefined {
  if (reusable || typeof jti !== "string") return undefined;
  const madeAt = issuedAt ?? expiresAt - maxAgeSeconds;
  return {
    clientId: name,
    kid: OF_ISSUER,
    nonce: createHash("sha256").update(jti).digest("base64url"),
    issuedAt: madeAt,
    expiresAt: Math.min(expiresAt, madeAt + maxAgeSeconds) + FORGET_MARGIN_SECONDS,
  };
}

function unavailable(): OAuthError {
  return new OAuthError("temporarily_unavailable", "The server cannot answer now. Try again.", {
    detail: "issuer_keys_unavailable",
    headers: { "Retry-After": "30" },
  });
}
