/** The claims of an access token (RFC 9068 §2.2, docs/protocol.md §2) and their strict reader. */
import { fromUtf8 } from "./bytes.ts";
import { CLOCK_SKEW_SECONDS } from "./clock.ts";
import { readJwtObject } from "./jws.ts";
import { type Quota, readQuotas } from "./quota.ts";

export interface AccessTokenClaims {
  iss: string;
  /** The client itself (RFC 9068 §2.2), or the client on whose behalf it acts (RFC 8693 §4.1). */
  sub: string;
  client_id: string;
  /** One resource (RFC 8707); never an array here. */
  aud: string;
  /** Epoch seconds, whole. */
  iat: number;
  /** Epoch seconds, whole. */
  exp: number;
  /** Epoch seconds, whole; this server sets none. */
  nbf?: number;
  jti: string;
  /** Scope tokens with single spaces between. */
  scope: string;
  /** The grant this token came from. */
  gid: string;
  /** The client's epoch when the token was issued. */
  ep: number;
  /** What opened the grant: the kid of a credential, or a rule of trust. */
  cred: string;
  /** Who stands behind the client, as a trusted issuer says; absent where the client has a credential of its own. */
  workload?: Workload;
  /** What the operator has services know of the client, by name; absent where there is nothing. */
  ext?: Ext;
  /** The client's quotas, those for other scopes left out; absent when there is none. */
  quota?: readonly Quota[];
  /** The grants above this token's own, root first; absent where there is none. */
  anc?: readonly Ancestor[];
  /** Who acts for the subject: `client_id`, then whoever acted before it; absent where nobody does. */
  act?: Actor;
  /** What its bearer must prove to hold; absent for a bearer token. */
  cnf?: Confirmation;
}

/**
 * The key that a token is bound to (RFC 7800 §3.1), by what proves it: one member or more, and each must
 * be proved.
 */
export interface Confirmation {
  /** RFC 9449 §6.1: the SHA-256 thumbprint (RFC 7638) of the key that signs DPoP proofs, base64url. */
  jkt?: string;
  /** RFC 8705 §3.1: the SHA-256 of the client's certificate in DER, base64url. */
  "x5t#S256"?: string;
}

/** A JSON object that means what an operator and a service agree on. As read here it is frozen. */
export interface Ext {
  readonly [name: string]: ExtValue;
}
export type ExtValue = null | boolean | number | string | readonly ExtValue[] | Ext;

/** A grant above another: what it was opened with, so that whatever ends it ends all below too. */
export interface Ancestor {
  gid: string;
  client_id: string;
  cred: string;
  ep: number;
  /** The key that signed its token; absent where that was opaque. */
  kid?: string;
  /** The only resources that what is exchanged below it may be for; absent where nobody limits them. */
  resources?: readonly string[];
}

/** A token has no more grants above its own. */
export const MAX_ANCESTORS = 5;

/** Who acts (RFC 8693 §4.1): a client, and inside it whoever acted before. */
export interface Actor {
  sub: string;
  act?: Actor;
}

/** Their ids, the one that acts now first. */
export const actorsOf = (act: Actor | undefined): string[] =>
  act ? [act.sub, ...actorsOf(act.act)] : [];

/** A workload as its own issuer names it. */
export interface Workload {
  iss: string;
  sub: string;
}

const TEXT_CLAIMS = ["iss", "sub", "client_id", "aud", "jti", "scope", "gid", "cred"] as const;
const NUMBER_CLAIMS = ["iat", "exp", "ep"] as const;

/**
 * The claims in a decoded payload, or undefined when one is missing or of another type.
 * Checks types only: not the signature, the issuer, the audience nor the times.
 */
export function readAccessTokenClaims(payload: unknown): AccessTokenClaims | undefined {
  if (typeof payload !== "object" || payload === null) return undefined;
  const claims = payload as Record<string, unknown>;
  for (const name of TEXT_CLAIMS) if (typeof claims[name] !== "string") return undefined;
  for (const name of NUMBER_CLAIMS) {
    if (!isTime(claims[name])) return undefined;
  }
  if ("nbf" in claims && !isTime(claims["nbf"])) return undefined;
  if ("quota" in claims && !readQuotas(claims["quota"])) return undefined;
  if ("workload" in claims && !isWorkload(claims["workload"])) return undefined;
  if ("anc" in claims && !areAncestors(claims["anc"])) return undefined;
  if ("act" in claims && !isActor(claims["act"], MAX_ANCESTORS)) return undefined;
  if ("cnf" in claims && !isConfirmation(claims["cnf"])) return undefined;
  if ("ext" in claims && !isExt(claims["ext"])) return undefined;
  return claims as unknown as AccessTokenClaims;
}

/**
 * The claims in a payload's bytes, or undefined: no UTF-8, no JSON, no object, a name that is there twice
 * (RFC 7519 §4), or what `readAccessTokenClaims` does not take. Checks no more than that does.
 */
export function decodeAccessTokenClaims(payload: Uint8Array): AccessTokenClaims | undefined {
  const members = readJwtObject(payload);
  return members && readAccessTokenClaims(JSON.parse(fromUtf8(payload)));
}

/**
 * Why a token is not good now, whatever was revoked, as a reason for the log; or undefined. Revocations
 * are remembered for the longest life of a token and the difference of two clocks: one that lives longer,
 * or begins so far ahead that it would, is refused.
 * @param now epoch seconds
 */
export function timeFault(
  { iat, exp, nbf = 0 }: Pick<AccessTokenClaims, "iat" | "exp" | "nbf">,
  { now, maxLifeSeconds }: { now: number; maxLifeSeconds: number },
): TimeFault | undefined {
  if (exp <= now) return "expired";
  if (nbf > now) return "wrong_nbf";
  if (exp - iat > maxLifeSeconds) return "lives_too_long";
  return iat > now + CLOCK_SKEW_SECONDS ? "issued_in_the_future" : undefined;
}

export type TimeFault = "expired" | "wrong_nbf" | "lives_too_long" | "issued_in_the_future";

/** Freezes it, for what is read once is shown to many requests. The depth is the reader's to bound. */
function isExt(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  freeze(value);
  return true;
}

function freeze(value: object): void {
  Object.freeze(value);
  for (const member of Object.values(value) as unknown[]) {
    if (typeof member === "object" && member !== null) freeze(member);
  }
}

function isWorkload(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { iss, sub } = value as Record<string, unknown>;
  return typeof iss === "string" && typeof sub === "string";
}

/** Strict: an entry that cannot be read could not be looked up, and the token would outlive it. */
function areAncestors(value: unknown): boolean {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_ANCESTORS) return false;
  return value.every((entry: unknown) => {
    if (typeof entry !== "object" || entry === null) return false;
    const { gid, client_id, cred, ep, kid = "", resources = [] } = entry as Record<string, unknown>;
    const areTexts =
      Array.isArray(resources) &&
      [gid, client_id, cred, kid, ...(resources as unknown[])].every(isText);
    return areTexts && isTime(ep);
  });
}

const isText = (value: unknown): value is string => typeof value === "string";

/** @param depth how many may stand in one another */
function isActor(value: unknown, depth: number): boolean {
  if (depth === 0 || typeof value !== "object" || value === null) return false;
  const { sub, act } = value as Record<string, unknown>;
  return typeof sub === "string" && (!("act" in value) || isActor(act, depth - 1));
}

/** A SHA-256 in unpadded base64url, whose last character holds four bits. */
const SHA256_BASE64URL = /^[\w-]{42}[AEIMQUYcgkosw048]$/;

/** Strict: a confirmation that nobody here can check would make a bearer token of a bound one. */
function isConfirmation(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const members = Object.entries(value);
  return (
    members.length > 0 &&
    members.every(
      ([name, text]) =>
        (name === "jkt" || name === "x5t#S256") &&
        typeof text === "string" &&
        SHA256_BASE64URL.test(text),
    )
  );
}

function isTime(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
