/** API keys and signature keys as the admin API takes and shows them; a key itself is shown once. */
import { z } from "zod";
import { DAY_SECONDS, formatInstant } from "@daykey/common/clock";
import { CLIENT_ID } from "@daykey/common/protocol";
import { SIGNATURE_ALGORITHMS } from "@daykey/common/signed-request";
import type { AccessKey } from "../access-keys/access-key.ts";
import { MAX_KEY_DAYS, type MadeAccessKey, type MaterialWish } from "../access-keys/register.ts";
import { newClientKey } from "./client-keys.ts";
import { quotaList, quotasViewOf } from "./quota-schema.ts";
import { PARAMETERS } from "./route.ts";
import { instant, listOf, text } from "./schema-parts.ts";
import { instantOrNull } from "./secret-schema.ts";

/** Null: no end of its own. */
const days = z.int().min(1).max(MAX_KEY_DAYS).nullable().optional();

const terms = {
  name: text(200),
  resource: PARAMETERS.uri.optional(),
  scopes: z.array(text(200)).min(1).max(200).optional(),
  quotas: quotaList.optional(),
  days,
};

const succession = {
  days,
  /** How long the key before still lives; by default a day. */
  overlap_seconds: z
    .int()
    .min(0)
    .max(MAX_KEY_DAYS * DAY_SECONDS)
    .optional(),
};

/** The secret of a key that the operator brings. */
const secret = z.string().regex(/^[A-Za-z0-9_-]{1,256}$/, "must be base64url without padding");

export const ed25519Jwk = newClientKey.shape.jwk.omit({ y: true, n: true, e: true }).extend({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: z.string().regex(/^[A-Za-z0-9_-]{43}$/, "must be 32 bytes as base64url, 43 characters"),
});

export const newApiKey = z.strictObject(terms);
export const apiKeyRotation = z.strictObject(succession);

export const newHmacKey = z.strictObject({
  ...terms,
  algorithm: z.literal("hmac-sha256"),
  /** 32 to 128 bytes as base64url; by default 32 random ones. */
  secret: secret.optional(),
});
export const newEd25519Key = z.strictObject({
  ...terms,
  algorithm: z.literal("ed25519"),
  jwk: ed25519Jwk,
});
export const newSignatureKey = z.discriminatedUnion("algorithm", [newHmacKey, newEd25519Key]);
/** With a `jwk` for an `ed25519` key. */
export const signatureKeyRotation = z.strictObject({
  ...succession,
  secret: secret.optional(),
  jwk: ed25519Jwk.optional(),
});

/** What the bodies of both kinds come to. */
export interface NewKeyBody extends Partial<KeyMaterialBody> {
  name: string;
  resource?: string | undefined;
  scopes?: string[] | undefined;
  quotas?: z.infer<typeof quotaList> | undefined;
  days?: number | null | undefined;
}

export interface KeyRotationBody extends Partial<KeyMaterialBody> {
  days?: number | null | undefined;
  overlap_seconds?: number | undefined;
}

interface KeyMaterialBody {
  secret: string | undefined;
  jwk: z.infer<typeof ed25519Jwk> | undefined;
}

export const apiKeyView = z.strictObject({
  id: PARAMETERS.id,
  client_id: z.string().regex(CLIENT_ID),
  name: text(200),
  resource: z.string(),
  scopes: z.array(z.string()),
  quotas: quotaList,
  created_at: instant,
  expires_at: instant.nullable(),
  last_used_at: instant.nullable(),
  revoked_at: instant.nullable(),
  live: z.boolean(),
});

export const signatureKeyView = z.strictObject({
  ...apiKeyView.shape,
  algorithm: z.enum(SIGNATURE_ALGORITHMS),
  /** The public half of an `ed25519` key. */
  jwk: z
    .strictObject({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: z.string() })
    .nullable(),
});

export const newApiKeyView = z.strictObject({
  ...apiKeyView.shape,
  /** Never again. */
  api_key: z.string(),
});

export const newSignatureKeyView = z.strictObject({
  ...signatureKeyView.shape,
  /** A symmetric key that was made here, as base64url. It is never shown again. */
  secret: z.string().optional(),
});

export const apiKeyList = listOf(apiKeyView);
export const signatureKeyList = listOf(signatureKeyView);

export function keyViewOf(key: AccessKey) {
  return {
    id: key.id,
    client_id: key.clientId,
    name: key.name,
    resource: key.resource,
    scopes: [...key.scopes],
    quotas: quotasViewOf(key.quotas),
    ...(key.algorithm && { algorithm: key.algorithm, jwk: jwkOf(key) }),
    created_at: formatInstant(key.createdAt),
    expires_at: instantOrNull(key.expiresAt),
    last_used_at: instantOrNull(key.lastUsedAt),
    revoked_at: instantOrNull(key.revokedAt),
    live: key.live,
  };
}

export function newKeyViewOf({ key, secret: made }: MadeAccessKey) {
  const view = keyViewOf(key);
  if (key.kind === "api_key") return { ...view, api_key: made };
  return made === undefined ? view : { ...view, secret: made };
}

function jwkOf({ publicJwk: jwk }: AccessKey) {
  return jwk ? { kty: jwk.kty, crv: jwk.crv, x: jwk.x } : null;
}

/** A successor's algorithm is that of what is brought. */
export function materialOf(
  kind: AccessKey["kind"],
  { jwk, secret: brought }: Partial<KeyMaterialBody>,
): MaterialWish {
  if (kind === "api_key") return { kind };
  if (jwk) {
    const { kty, crv, x } = jwk;
    return { kind, algorithm: "ed25519", publicJwk: { kty, crv, x } };
  }
  return { kind, algorithm: "hmac-sha256", secret: brought };
}
