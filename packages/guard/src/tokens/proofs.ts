/**
 * Whether who brings an access token may: a token that is bound to a key comes with a proof of that key
 * over this very request (RFC 9449 §7), one that is bound to a certificate on a connection that showed it
 * (RFC 8705 §3), and a token that is not bound comes without. Proofs work once.
 */
import { createHmac, createPublicKey, type KeyObject, verify } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { Clock } from "@daykey/common/clock";
import {
  checkDpopProof,
  createDpopNonces,
  type DpopPrimitives,
  type ProvenRequest,
} from "@daykey/common/dpop-proof";
import { type Access, InvalidCredential, InvalidProof } from "../access.ts";
import { sha256Base64url } from "../digests.ts";
import type { BoundCertificates } from "./certificates.ts";
import type { NonceStore } from "../keys/nonce-store.ts";
import type { GuardedRequest } from "../request.ts";

/** How DPoP is asked for here. */
export interface DpopOptions {
  /** Refuse access tokens that are not bound to a key; false by default. */
  required?: boolean;
  /**
   * Ask for a nonce of this resource in each proof (RFC 9449 §9), made with this key: 32 characters at
   * least, the same at all instances. None is asked for by default.
   */
  nonceKey?: string | undefined;
}

export interface TokenProofs {
  /**
   * @throws {InvalidCredential} for a token that is not bound where it must be, or whose proof is not good
   * @throws {NoncesUnavailable} when nothing can be remembered
   */
  require(
    access: Access,
    presented: { token: string; isDpop: boolean },
    request: GuardedRequest,
  ): Promise<void>;
  /** For each answer: the nonce to use next. */
  headers(): Readonly<Record<string, string>>;
}

const MIN_NONCE_KEY_LENGTH = 32;
const NO_HEADERS = {};

/** @throws {TypeError} for a key of nonces that is too short */
export function createTokenProofs({
  resource,
  isRequired,
  nonceKey,
  certificates,
  useNonce,
  clock,
}: {
  /** This resource's URI: proofs name its scheme and authority, whatever Host says. */
  resource: string;
  isRequired: boolean;
  nonceKey: string | undefined;
  certificates: BoundCertificates;
  useNonce: NonceStore["use"];
  clock: Clock;
}): TokenProofs {
  const { origin } = new URL(resource);
  const primitives = createPrimitives();
  if (nonceKey !== undefined && nonceKey.length < MIN_NONCE_KEY_LENGTH) {
    throw new TypeError(`The nonceKey has ${MIN_NONCE_KEY_LENGTH} characters at least.`);
  }
  const code = (text: string): string =>
    createHmac("sha256", nonceKey ?? "")
      .update(text)
      .digest("base64url");
  const nonces = nonceKey === undefined ? undefined : createDpopNonces(code, clock);

  async function requireProof(
    access: Access,
    jkt: string,
    token: string,
    request: GuardedRequest,
  ): Promise<void> {
    const proven: ProvenRequest = {
      method: request.method,
      uri: `${origin}${request.target}`,
      accessToken: token,
      now: clock(),
      nonceEnd: nonces?.endOf,
    };
    const proof = checkDpopProof(request.lines("dpop"), proven, primitives);
    if (proof === "dpop_nonce") {
      throw new InvalidProof("use_dpop_nonce", proof, access, nonces?.current());
    }
    if (typeof proof === "string") throw new InvalidProof("invalid_dpop_proof", proof, access);
    if (proof.jkt !== jkt) throw new InvalidProof("invalid_token", "dpop_other_key", access);
    if (!(await useNonce(`dpop ${jkt}`, proof.jti, proof.expiresAt))) {
      throw new InvalidProof("invalid_dpop_proof", "dpop_replayed", access);
    }
  }

  return {
    async require(access, { token, isDpop }, request) {
      const { jkt, "x5t#S256": thumbprint, ...others } = access.confirmation ?? {};
      if (jkt === undefined && (isDpop || isRequired)) {
        throw new InvalidProof("invalid_token", "token_not_bound", access);
      }
      // What it is bound to besides can be proved nowhere here.
      if (Object.keys(others).length > 0) throw new InvalidCredential("bound_otherwise", access);
      if (thumbprint !== undefined) certificates.require(access, thumbprint, request);
      if (jkt === undefined) return;
      if (!isDpop) throw new InvalidProof("invalid_token", "bound_token_as_bearer", access);
      await requireProof(access, jkt, token, request);
    },
    headers: () => (nonces ? { "DPoP-Nonce": nonces.current() } : NO_HEADERS),
  };
}

/** A key costs more to judge than to use. */
const REMEMBERED_KEYS = 10_000;

function createPrimitives(): DpopPrimitives {
  const known = new LRUCache<string, KeyObject>({ max: REMEMBERED_KEYS });
  return {
    sha256: sha256Base64url,
    isKnown: (jkt) => known.has(jkt),
    isSigned(jwk, jkt, signed, signature) {
      const key = known.get(jkt) ?? createPublicKey({ key: jwk, format: "jwk" });
      const digest = jwk.kty === "EC" ? "sha256" : null;
      const data = Buffer.from(signed, "latin1");
      const isGenuine = verify(digest, data, { key, dsaEncoding: "ieee-p1363" }, signature);
      if (isGenuine) known.set(jkt, key);
      return isGenuine;
    },
  };
}
