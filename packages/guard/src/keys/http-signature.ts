/**
 * Signed requests (RFC 9421, docs/protocol.md §5.4): a signature over the method, this resource's
 * authority, path, query and body, dated, and good once. What anyone can see of the request is judged
 * first; the nonce is used up last, when all else holds.
 */
import { isKeyId } from "@daykey/common/api-key";
import { type Clock, CLOCK_SKEW_SECONDS } from "@daykey/common/clock";
import { isContentDigestOf } from "@daykey/common/content-digest";
import {
  bytesToSign,
  type ComponentName,
  coveredBy,
  type MessageSignature,
  readSignatures,
} from "@daykey/common/http-signature";
import { HttpSignatureError } from "@daykey/common/http-signature-base";
import {
  REQUEST_COMPONENTS,
  REQUEST_TAG,
  SIGNATURE_LIFE_SECONDS,
} from "@daykey/common/signed-request";
import { DIGESTS } from "../digests.ts";
import { type GuardedRequest, readContent, RequestBodyError, signedMessageOf } from "../request.ts";
import { type Authenticate, type Holder, InvalidCredential } from "../access.ts";
import { type FindKey, isSignatureOf } from "./signature-keys.ts";

/** Whether the nonce was never used with this key before; it is from now on. */
export type UseNonce = (keyId: string, nonce: string, expiresAt: number) => Promise<boolean>;

/** The most that is read for a digest; a route's own limit holds as well. */
const SIGNED_BODY_BYTES = 2 * 1024 * 1024;

const MAX_NONCE_LENGTH = 128;
const HINTS = {
  one: "Signature-Input and Signature must hold one signature (RFC 9421).",
  parameters:
    "The signature needs the parameters created, keyid and nonce; a tag, if it has one, is daykey.",
  cover:
    "The signature must cover @method, @authority, @path and @query, and content-digest where there is a body.",
  time: "The signature is too old or dated ahead; see its created and expires, and the clock.",
  base: "The signature covers what the request does not have, or what is not supported.",
  digest: "Content-Digest is not that of the body.",
  gone: "Signatures over a body cannot be checked here.",
};

export function createSignatureVerifier({
  findKey,
  useNonce,
  resource,
  clock,
}: {
  findKey: FindKey;
  useNonce: UseNonce;
  /** This resource's URI, whose authority a signature must name. */
  resource: string;
  clock: Clock;
}): Authenticate {
  return async (_text, req) => {
    const [input = "", signature = ""] = [req.field("signature-input"), req.field("signature")];
    const read = readSignatures(input, signature);
    const [only, ...others] = read ?? [];
    if (!only || others.length > 0) throw refused("malformed_signature", HINTS.one);
    const { keyid, nonce, created, alg } = readParameters(only);
    const covered = coveredBy(only.input);
    if (!covers(covered, req.hasBody)) throw refused("not_covered", HINTS.cover);
    checkTimes(only, clock());
    const bytes = bytesOf(() => bytesToSign(signedMessageOf(req, resource), only.input));

    const found = await findKey(keyid, "http_signature", req.address);
    const isGenuine = isSignatureOf(found?.key, only.signature, bytes);
    if (!found) throw new InvalidCredential("unknown_key");
    if (alg !== undefined && alg !== found.key.algorithm) {
      throw new InvalidCredential("algorithm_of_another_key");
    }
    if (!isGenuine) throw new InvalidCredential("wrong_signature");

    const access = found.access();
    if (covered.has("content-digest")) {
      const field = req.field("content-digest") ?? "";
      const content = await contentOf(req, found.holder);
      if (!(await isContentDigestOf(DIGESTS, field, content))) {
        throw new InvalidCredential("wrong_digest", found.holder, HINTS.digest);
      }
    }
    if (!(await useNonce(keyid, nonce, created + SIGNATURE_LIFE_SECONDS))) {
      throw new InvalidCredential("replayed", found.holder);
    }
    return access;
  };
}

const NO_CONTENT = new Uint8Array();

/** @throws {InvalidCredential} where nobody can read it: a proxy's question, or another has read it */
export async function contentOf(
  request: GuardedRequest,
  holder: Holder | undefined,
  limitBytes = SIGNED_BODY_BYTES,
): Promise<Uint8Array> {
  if (!request.hasBody) return NO_CONTENT;
  try {
    return await readContent(request, limitBytes);
  } catch (error) {
    if (!(error instanceof RequestBodyError)) throw error;
    throw new InvalidCredential("body_gone", holder, HINTS.gone);
  }
}

function readParameters({ parameters }: MessageSignature): {
  keyid: string;
  nonce: string;
  created: number;
  alg: string | undefined;
} {
  const { keyid, nonce, created, alg, tag } = parameters;
  const isNonce = nonce !== undefined && nonce !== "" && nonce.length <= MAX_NONCE_LENGTH;
  const isWhole = keyid !== undefined && isKeyId(keyid) && isNonce && created !== undefined;
  if (!isWhole || (tag ?? REQUEST_TAG) !== REQUEST_TAG) {
    throw refused("wrong_parameters", HINTS.parameters);
  }
  return { keyid, nonce, created, alg };
}

/** `@target-uri` stands for authority, path and query. */
function covers(covered: ReadonlySet<ComponentName>, isWithBody: boolean): boolean {
  if (isWithBody && !covered.has("content-digest")) return false;
  if (covered.has("@method") && covered.has("@target-uri")) return true;
  return REQUEST_COMPONENTS.every((component) => covered.has(component));
}

/** Before the key is looked for, so whatever the answer, it tells nothing of the key. */
function checkTimes({ parameters }: MessageSignature, now: number): void {
  const { created = 0, expires } = parameters;
  const isNow = created <= now + CLOCK_SKEW_SECONDS && created > now - SIGNATURE_LIFE_SECONDS;
  if (!isNow || (expires !== undefined && expires <= now)) throw refused("wrong_time", HINTS.time);
}

/** @throws {InvalidCredential} for what `make` throws as {HttpSignatureError} */
export function bytesOf(make: () => Uint8Array): Uint8Array {
  try {
    return make();
  } catch (error) {
    if (error instanceof HttpSignatureError) throw refused(error.reason, HINTS.base);
    throw error;
  }
}

function refused(reason: string, hint: string): InvalidCredential {
  return new InvalidCredential(reason, undefined, hint);
}
