/**
 * Making access keys: the rules an operator's wish must keep, and the one moment in which the server
 * knows an API key. Of a key pair only the public half ever comes here.
 */
import { createHash, createPublicKey, randomBytes } from "node:crypto";
import { formatApiKey, keyIdOf } from "@daykey/common/api-key";
import { fromBase64url } from "@daykey/common/bytes";
import { type Clock, DAY_SECONDS } from "@daykey/common/clock";
import type { Quota } from "@daykey/common/quota";
import { weakness } from "@daykey/common/weak-keys";
import { problem, type ProblemError } from "@daykey/service/http/problem-error";
import type { Transaction } from "../clients/clients-store.ts";
import type { RegisteredClient, RegistrationsStore } from "../registration/registrations-store.ts";
import { quotaFault } from "../clients/quotas.ts";
import { scopesAt } from "../clients/resource-scopes.ts";
import { hashPrimitives } from "../clients/verifiers.ts";
import type { ResourcesStore } from "../resources/resources-store.ts";
import type { AccessKey, AccessKeyTerms, Ed25519Jwk, KeyMaterial } from "./access-key.ts";
import { type AccessKeysStore, MAX_LIVE_ACCESS_KEYS } from "./access-keys-store.ts";

/** What a key is to be made of: by default of 32 random bytes; `secret` is base64url. */
export type MaterialWish =
  | { kind: "api_key" }
  | { kind: "signature_key"; algorithm: "hmac-sha256"; secret?: string | undefined }
  | { kind: "signature_key"; algorithm: "ed25519"; publicJwk: Ed25519Jwk };

export interface AccessKeyWish {
  clientId: string;
  name: string;
  /** By default the client's first that is not the issuer. */
  resource?: string | undefined;
  /** By default all that client and resource have. */
  scopes?: readonly string[] | undefined;
  quotas?: readonly Quota[] | undefined;
  /** Null: it has no end. By default 366 days. */
  days?: number | null | undefined;
  material: MaterialWish;
}

export interface MadeAccessKey {
  key: AccessKey;
  /** An API key, or a symmetric key as base64url; undefined of what its maker has. Told once. */
  secret: string | undefined;
}

export type RecordAccessKey = (
  tx: Transaction,
  added: AccessKey,
  followed: AccessKey | undefined,
) => Promise<void>;

export interface AccessKeyRegistrar {
  /**
   * Makes a key, unless `record` fails.
   * @throws {ProblemError} 400 for a key that cannot be, 404 without such a client, 409 when the client
   *   has `MAX_LIVE_ACCESS_KEYS`
   */
  create(wish: AccessKeyWish, record: RecordAccessKey): Promise<MadeAccessKey>;
  /**
   * Makes the key that takes another one's place on the same terms; the other one lives on for the
   * overlap at most.
   * @throws {ProblemError} as `create`; 404 without such a key, 409 when it has ended
   */
  rotate(
    which: { clientId: string; id: string; overlapSeconds: number },
    wish: { days?: number | null | undefined; material: MaterialWish },
    record: RecordAccessKey,
  ): Promise<MadeAccessKey>;
}

const DEFAULT_KEY_DAYS = 366;
export const MAX_KEY_DAYS = 400;
/** RFC 2104 §3: an HMAC key shorter than its hash is weak; and one signature lets a short one be guessed. */
const MIN_SECRET_BYTES = 32;
const MAX_SECRET_BYTES = 128;

const KEY_BYTES = 32;
const ID_RANDOM_BYTES = 5;
/** Even with 60 million ids made in one second, a second try is almost never needed. */
const ID_TRIES = 5;

export function createAccessKeyRegistrar({
  accessKeys,
  registrations,
  resources,
  issuer,
  clock,
}: {
  accessKeys: Pick<AccessKeysStore, "add" | "find">;
  registrations: Pick<RegistrationsStore, "read">;
  resources: Pick<ResourcesStore, "find">;
  issuer: string;
  clock: Clock;
}): AccessKeyRegistrar {
  async function add(
    terms: AccessKeyTerms,
    { days = DEFAULT_KEY_DAYS, material: wish }: Pick<AccessKeyWish, "days" | "material">,
    follows: { id: string; overlapSeconds: number } | undefined,
    record: RecordAccessKey,
  ): Promise<MadeAccessKey> {
    const lifeSeconds = days === null ? undefined : days * DAY_SECONDS;
    for (let tries = 0; tries < ID_TRIES; tries++) {
      const id = keyIdOf(clock(), randomBytes(ID_RANDOM_BYTES));
      const { material, secret } = await make(id, wish);
      const added = await accessKeys.add({ id, terms, material, lifeSeconds, follows }, record);
      if (added === "unknown") throw problem("unknown-client");
      if (added === "ended") throw problem("key-ended");
      if (added === "full") {
        throw problem("too-many-keys", { detail: `At most ${MAX_LIVE_ACCESS_KEYS}.` });
      }
      if (added !== "id_taken") return { key: added, secret };
    }
    throw new Error("no free id for a key");
  }

  /** @throws {ProblemError} 400 when client and resource leave nothing for it */
  async function termsOf(client: RegisteredClient, wish: AccessKeyWish): Promise<AccessKeyTerms> {
    const { clientId, name, quotas = [] } = wish;
    const uri = wish.resource ?? client.resources.find((candidate) => candidate !== issuer);
    const resource = uri === undefined ? undefined : await resources.find(uri);
    const isItsOwn =
      resource !== undefined && resource.uri !== issuer && client.resources.includes(resource.uri);
    if (!isItsOwn) throw invalid("resource is one of the client's, and not the issuer.");
    const available = scopesAt(client, resource);
    const scopes = wish.scopes ?? available;
    if (scopes.length === 0 || !scopes.every((scope) => available.includes(scope))) {
      throw invalid("scopes holds one or more that both the client and the resource have.");
    }
    if (new Set(scopes).size !== scopes.length) throw invalid("scopes are there once each.");
    const fault = quotaFault(quotas, scopes);
    if (fault !== undefined) throw invalid(fault);
    return { clientId, name, resource: resource.uri, scopes, quotas };
  }

  return {
    async create(wish, record) {
      const client = await registrations.read(wish.clientId);
      if (!client) throw problem("unknown-client");
      return add(await termsOf(client, wish), wish, undefined, record);
    },

    async rotate({ clientId, id, overlapSeconds }, wish, record) {
      const old = await accessKeys.find(clientId, wish.material.kind, id);
      if (!old) throw unknownKey();
      const { name, resource, scopes, quotas, algorithm } = old;
      if (wish.material.kind === "signature_key" && wish.material.algorithm !== algorithm) {
        throw invalid(`the key's algorithm is ${algorithm}, and so is its successor's.`);
      }
      const terms = { clientId, name, resource, scopes, quotas };
      return add(terms, wish, { id, overlapSeconds }, record);
    },
  };
}

/** @throws {ProblemError} 400 for a key that cannot be used */
async function make(
  id: string,
  wish: MaterialWish,
): Promise<{ material: KeyMaterial; secret: string | undefined }> {
  if (wish.kind === "api_key") {
    const secret = await formatApiKey(hashPrimitives, id, randomBytes(KEY_BYTES));
    return { material: { kind: "api_key", hash: apiKeyHash(secret) }, secret };
  }
  const { kind, algorithm } = wish;
  if (algorithm === "ed25519") {
    if (!isPublicKey(wish.publicJwk)) throw invalid("jwk is the public half of an Ed25519 key.");
    return { material: wish, secret: undefined };
  }
  const brought = wish.secret;
  if (brought === undefined) {
    const secret = randomBytes(KEY_BYTES);
    return { material: { kind, algorithm, secret }, secret: secret.toString("base64url") };
  }
  const bytes = fromBase64url(brought);
  if (!bytes || bytes.length < MIN_SECRET_BYTES || bytes.length > MAX_SECRET_BYTES) {
    throw invalid(`secret is ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} bytes as base64url.`);
  }
  return { material: { kind, algorithm, secret: Buffer.from(bytes) }, secret: undefined };
}

/** What is kept of an API key: 256 random bits need no slow hash. */
export function apiKeyHash(apiKey: string): Buffer {
  return createHash("sha256").update(apiKey).digest();
}

/** A point of the curve, of no small order, in its one spelling. */
function isPublicKey(jwk: Ed25519Jwk): boolean {
  if (weakness(jwk) !== undefined) return false;
  try {
    const key = createPublicKey({ key: { ...jwk }, format: "jwk" });
    return key.export({ format: "jwk" }).x === jwk.x;
  } catch {
    return false;
  }
}

function invalid(detail: string): ProblemError {
  return problem("invalid-key", { detail });
}

export function unknownKey(): ProblemError {
  return problem("unknown-key");
}
