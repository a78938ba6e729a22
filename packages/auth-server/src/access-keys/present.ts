/**
 * What the auth-server tells of a key that was presented at a resource (docs/protocol.md §5): to the
 * resource's owner, who is not told more of a dead, foreign or invented one than that it is inactive.
 */
import { timingSafeEqual } from "node:crypto";
import { idOfApiKey, isKeyId } from "@daykey/common/api-key";
import type { KeyClaims } from "@daykey/common/key-claims";
import { OAuthError } from "@daykey/common/oauth-error";
import { formatScope, intersection } from "@daykey/common/scope";
import type { LastUsed } from "../authentication/last-used.ts";
import { quotasFor } from "../clients/quotas.ts";
import { scopesAt } from "../clients/resource-scopes.ts";
import { CannotUnseal } from "../keys/sealing.ts";
import type { KeyMaterial } from "./access-key.ts";
import type { AccessKeysStore, UsableKey } from "./access-keys-store.ts";
import { apiKeyHash } from "./register.ts";

type KeyAnswer = KeyClaims & { active: true };

export interface PresentedKeys {
  /**
   * Undefined for text that has not the shape of an API key.
   * @throws {DatabaseUnavailable}
   */
  apiKey(text: string, callerId: string): Promise<object | undefined>;
  /**
   * @throws {DatabaseUnavailable}
   * @throws {OAuthError} temporarily_unavailable while the master key is changed and this instance has
   *   the old one alone
   */
  signatureKey(id: string, callerId: string): Promise<object>;
}

export const INACTIVE = { active: false };

/** What an id that does not exist is compared with, so that it is the same work (V10). */
const NO_HASH = Buffer.alloc(32);

export function createPresentedKeys({
  accessKeys,
  lastUsed,
  issuer,
}: {
  accessKeys: Pick<AccessKeysStore, "usable">;
  lastUsed: Pick<LastUsed, "used">;
  issuer: string;
}): PresentedKeys {
  /** Undefined when no scope is left to it. */
  function answerOf({ key, client, resource }: UsableKey): KeyAnswer | undefined {
    const there = scopesAt(client, { uri: key.resource, scopes: resource.scopes });
    const scope = intersection(key.scopes, there);
    if (scope.length === 0) return undefined;
    const quota = quotasFor(scope, client.quotas);
    const keyQuota = quotasFor(scope, key.quotas);
    return {
      active: true,
      iss: issuer,
      client_id: key.clientId,
      aud: key.resource,
      scope: formatScope(scope),
      ep: client.epoch,
      cred: key.id,
      ...(key.expiresAt !== undefined && { exp: Math.floor(key.expiresAt) }),
      ...(quota.length > 0 && { quota }),
      ...(keyQuota.length > 0 && { key_quota: keyQuota }),
    };
  }

  return {
    async apiKey(text, callerId) {
      const id = idOfApiKey(text);
      if (id === undefined) return undefined;
      const found = await accessKeys.usable("api_key", id);
      const hash = found?.material.kind === "api_key" ? found.material.hash : NO_HASH;
      const isKey = timingSafeEqual(apiKeyHash(text), hash);
      if (!found || !isKey) return INACTIVE;
      const { key, resource } = found;
      const isOwner = resource.ownerClientId === callerId;
      if (!isOwner && key.clientId !== callerId) return INACTIVE;
      const answer = answerOf(found);
      if (!answer) return INACTIVE;
      if (isOwner) lastUsed.used(key.clientId, id);
      return {
        ...answer,
        token_type: "api_key",
        sub: key.clientId,
        iat: Math.floor(key.createdAt),
      };
    },

    async signatureKey(id, callerId) {
      const found = isKeyId(id)
        ? await accessKeys.usable("signature_key", id).catch(notReadable)
        : undefined;
      if (!found || found.material.kind !== "signature_key") return INACTIVE;
      const { key, material, resource } = found;
      const isOwner = resource.ownerClientId === callerId;
      const isOwnPublic = key.clientId === callerId && material.algorithm === "ed25519";
      const answer = isOwner || isOwnPublic ? answerOf(found) : undefined;
      if (!answer) return INACTIVE;
      // That it was asked for is all that is known here of its use.
      if (isOwner) lastUsed.used(key.clientId, id);
      return { ...answer, alg: material.algorithm, jwk: jwkOf(material) };
    },
  };
}

function notReadable(error: unknown): never {
  if (!(error instanceof CannotUnseal)) throw error;
  throw new OAuthError("temporarily_unavailable", "The server cannot answer now. Try again.", {
    detail: "cannot_unseal",
    cause: error,
    headers: { "Retry-After": "2" },
  });
}

/** RFC 7518 §6.4, RFC 8037 §2. */
function jwkOf(material: Exclude<KeyMaterial, { kind: "api_key" }>): object {
  return material.algorithm === "ed25519"
    ? material.publicJwk
    : { kty: "oct", k: material.secret.toString("base64url") };
}
