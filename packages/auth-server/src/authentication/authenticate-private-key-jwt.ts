/**
 * `private_key_jwt`: is an assertion signed with one of the client's keys (RFC 7521 §4.2, RFC 7523 §3,
 * RFC 10070)? Its client registers the public keys, or publishes them at its `jwks_uri`. Whatever is
 * missing, some signature is checked: a client or key that does not exist costs one too.
 */
import {
  asClientAssertion,
  assertionFault,
  type ClientAssertion,
  isTypedAssertion,
  parseAssertion,
} from "./client-assertion.ts";
import type { ClientEntry } from "../clients/client-cache.ts";
import type { ClientJwks } from "./client-jwks.ts";
import type { ClientKey } from "../clients/client-key.ts";
import type { AssertionCredential, ParseAssertion } from "./credential.ts";
import { signerAmong } from "./signer-among.ts";

/** The key that signed, and what an allowed one still has to pass. */
export interface AssertionProof {
  kid: string;
  jti: string;
  /** Epoch seconds; of one that does not say, the earliest it can be. */
  issuedAt: number;
  /** Epoch seconds from which the assertion can no longer be used, whatever the clocks. */
  forgottenAt: number;
  /** Whether it is of now. */
  isFresh: boolean;
}

export interface AssertionChecker {
  parse: ParseAssertion;
  /** The proof, or why there is none: a reason for the log. Says nothing yet of the client's state. */
  check(credential: AssertionCredential, entry: ClientEntry): Promise<AssertionProof | string>;
}

/** An assertion is made for one request, but many libraries give it an hour: it may end this far ahead. */
const MAX_LIFE_SECONDS = 3600;
/** How far the client's clock may be off. */
const TOLERANCE_SECONDS = 30;
/** Its jti is remembered so much longer than it lives, since the database's clock forgets it. */
const FORGET_MARGIN_SECONDS = 300;

export function createAssertionChecker({
  issuer,
  clock,
  jwks,
}: {
  issuer: string;
  clock: () => number;
  jwks: ClientJwks;
}): AssertionChecker {
  /** Where the client publishes its keys, if it may be asked. */
  function placeOf({ client }: ClientEntry): string | undefined {
    const isPublishing =
      client !== undefined && client.enabled && client.authMethods.includes("private_key_jwt");
    return isPublishing ? client.jwksUri : undefined;
  }

  /**
   * The client's key that signed, of the registered ones or else the published ones; or a reason. A
   * published set is read again for a signature that fits none of its keys: without a kid there is
   * nothing else that tells of a new one.
   */
  async function findSigner(
    assertion: ClientAssertion,
    entry: ClientEntry,
  ): Promise<ClientKey | string> {
    const { algorithm, kid } = assertion;
    const mayHaveSigned = (key: ClientKey): boolean =>
      key.algorithm === algorithm && (kid === undefined || key.kid === kid);
    // The kid of a secret or a registered key, revoked ones too, stays what it was.
    const isPublished = (key: ClientKey): boolean =>
      mayHaveSigned(key) && !entry.takenKids.has(key.kid);

    const registered = entry.keys.filter(mayHaveSigned);
    const uri = registered.length > 0 ? undefined : placeOf(entry);
    const keys = uri === undefined ? registered : await jwks.find(uri, isPublished);
    const signer = signerAmong(keys, assertion);
    if (signer) return signer;
    if (keys.length === 0) return "unknown_key";
    const newer = uri === undefined ? [] : await jwks.findAgain(uri, isPublished);
    const newSigner = newer.length === 0 ? undefined : signerAmong(newer, assertion);
    return newSigner ?? "wrong_credential";
  }

  return {
    parse: parseAssertion,
    async check({ clientId, assertion: read }, entry) {
      const assertion = asClientAssertion(read);
      if (!assertion) return "malformed_assertion";
      const fault = assertionFault(assertion, { clientId, issuer });
      if (fault !== undefined) return fault;
      const signer = await findSigner(assertion, entry);
      if (typeof signer === "string") return signer;
      // After the signature, so that nobody else can tell by the time whether there is such a client.
      if (entry.client?.requireAssertionTyp === true && !isTypedAssertion(assertion)) {
        return "assertion_untyped";
      }
      return {
        kid: signer.kid,
        jti: assertion.jti,
        issuedAt: assertion.issuedAt ?? assertion.expiresAt - MAX_LIFE_SECONDS,
        forgottenAt: assertion.expiresAt + FORGET_MARGIN_SECONDS,
        isFresh: isOfNow(assertion, clock()),
      };
    },
  };
}

function isOfNow({ expiresAt, issuedAt, notBefore }: ClientAssertion, now: number): boolean {
  const latest = now + TOLERANCE_SECONDS;
  return (
    expiresAt > now - TOLERANCE_SECONDS &&
    expiresAt <= latest + MAX_LIFE_SECONDS &&
    (issuedAt ?? now) <= latest &&
    (notBefore ?? now) <= latest
  );
}
