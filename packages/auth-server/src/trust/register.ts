/** What an operator may decide about trusted issuers and rules, whoever brings it. */
import { isJwksUri } from "../authentication/jwks-fetch.ts";
import { parseClaimPath } from "./claims.ts";
import { templateFault } from "./ext.ts";
import type { Condition, RuleRegistration } from "./rule.ts";
import { type IssuerRegistration, SPIFFE_SCHEME, trustDomainOf } from "./trusted-issuer.ts";

/** Refusals beyond these would hold a token's checks up. */
export const MAX_CONDITIONS = 20;
export const MAX_VALUES = 200;
export const MAX_GLOB_LENGTH = 256;
export const MIN_AGE_SECONDS = 60;
export const MAX_AGE_SECONDS = 86_400;

const MIN_LIFE_SECONDS = 10;
const ISS = /^[\x21-\x7e]{1,512}$/;

/** Why an issuer cannot be trusted like this, in a sentence, or undefined. */
export function issuerFault(
  issuer: IssuerRegistration,
  { ownIssuer, allowPrivate }: { ownIssuer: string; allowPrivate: boolean },
): string | undefined {
  const { iss, keySource, keysUri, jwks, algorithms, audiences } = issuer;
  const isSpiffe = iss.startsWith(SPIFFE_SCHEME);
  if (iss === ownIssuer) return "iss: this server does not trust its own tokens as assertions.";
  if (!isSpiffe && !isIssuerUrl(iss)) {
    return "iss is the https URL of an issuer, exactly as its tokens have it, or spiffe://<trust domain>.";
  }
  if (isSpiffe && trustDomainOf(`${iss}/x`) !== iss) {
    return "iss of a SPIFFE trust domain is spiffe://<trust domain> and nothing behind it.";
  }
  if (isSpiffe ? !["spiffe", "jwks"].includes(keySource) : keySource === "spiffe") {
    return "key_source is spiffe or jwks for a SPIFFE trust domain, and not spiffe for any other issuer.";
  }
  const isFetched = keySource === "jwks_uri" || keySource === "spiffe";
  if (isFetched !== (keysUri !== undefined)) {
    return "keys_uri goes with the key_source jwks_uri or spiffe.";
  }
  if ((keySource === "jwks") !== (jwks !== undefined)) return "jwks goes with the key_source jwks.";
  if (jwks && new Set(jwks.map(({ kid }) => kid)).size !== jwks.length) {
    return "jwks: each key has a kid of its own.";
  }
  const fetched = keySource === "discovery" ? iss : keysUri;
  if (fetched !== undefined && !isJwksUri(fetched, { allowPrivate })) {
    return "Keys are fetched from an https URL without credentials and fragment; the server may refuse private addresses.";
  }
  if (new Set(algorithms).size !== algorithms.length) return "algorithms: each once.";
  if (new Set(audiences).size !== audiences.length) return "audiences: each once.";
  return undefined;
}

/** A client's id has no colon: no client is taken for an issuer, nor the other way round. */
function isIssuerUrl(iss: string): boolean {
  const url = ISS.test(iss) ? URL.parse(iss) : null;
  return url?.protocol === "https:" || url?.protocol === "http:";
}

/** Why there can be no such rule, in a sentence, or undefined. */
export function ruleFault(
  rule: RuleRegistration,
  {
    client,
    accessTokenMaxSeconds,
  }: {
    /** The client that it makes, as it is registered. */
    client: { scopes: readonly string[]; resources: readonly string[] };
    accessTokenMaxSeconds: number;
  },
): string | undefined {
  const { conditions, scopes, resources, accessTokenSeconds: life, ext } = rule;
  const fault = conditions.map(conditionFault).find((each) => each !== undefined);
  if (fault !== undefined) return fault;
  if (scopes?.some((scope) => !client.scopes.includes(scope))) {
    return "scopes are some of the client's.";
  }
  if (resources?.some((uri) => !client.resources.includes(uri))) {
    return "resources are some of the client's.";
  }
  const extFault = ext && templateFault(ext);
  if (extFault !== undefined) return `ext ${extFault}.`;
  const isLife = life === undefined || (life >= MIN_LIFE_SECONDS && life <= accessTokenMaxSeconds);
  return isLife
    ? undefined
    : `access_token_seconds is from ${MIN_LIFE_SECONDS} to ${accessTokenMaxSeconds}.`;
}

function conditionFault({ claim, values, glob }: Condition): string | undefined {
  if (!parseClaimPath(claim)) {
    return "claim is a member's name, or a JSON Pointer such as /kubernetes.io/serviceaccount/name.";
  }
  if ((values === undefined) === (glob === undefined)) {
    return "A condition has one_of or glob, and not both.";
  }
  const isForAll = glob !== undefined && /^\**$/.test(glob);
  return isForAll ? "A glob of stars alone is no condition." : undefined;
}
