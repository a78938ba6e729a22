/** Secrets as the admin API takes and shows them. The secret itself is shown once, when it is made. */
import { z } from "zod";
import { DAY_SECONDS, formatInstant } from "@daykey/common/clock";
import type { AnySecretRequest, RegisteredSecret } from "../registration/register.ts";
import { MAX_SECRET_DAYS } from "../registration/secrets.ts";
import type { SecretState } from "../registration/secrets-store.ts";
import { instant } from "./schema-parts.ts";

/** A secret of `MAX_SECRET_DAYS` begins and ends within a day. */
const MAX_VERIFIERS = MAX_SECRET_DAYS + 2;

const days = z.int().min(1).max(MAX_SECRET_DAYS).optional();
export const kid = z.string().regex(/^[a-z0-9]{8}$/, "must be 8 lower-case letters and digits");
const salt = z.string().regex(/^[0-9a-f]{32}$/, "must be 32 hexadecimal digits in lower case");

export const KINDS = [
  z.strictObject({ kind: z.literal("generated"), days }),
  z.strictObject({ kind: z.literal("chosen"), secret: z.string().max(512), days }),
  z.strictObject({
    kind: z.literal("verifiers"),
    kid,
    salt,
    first_day: z
      .string()
      .regex(/^\d{4}-\d{2}-\d{2}$/, "must be a day such as 2026-11-21")
      .meta({ format: "date" }),
    verifiers: z
      .array(z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hexadecimal digits in lower case"))
      .min(1)
      .max(MAX_VERIFIERS),
  }),
  z.strictObject({ kind: z.literal("imported"), secret: z.string().max(512), days }),
] as const;

/** A client's first secret: made here, chosen by a person, kept by the client, or made by another server. */
export const secretBody = z.discriminatedUnion("kind", KINDS);

const overlap = {
  overlap_seconds: z
    .int()
    .min(0)
    .max(MAX_SECRET_DAYS * DAY_SECONDS)
    .optional(),
};

export const ROTATION_KINDS = [
  KINDS[0].extend(overlap),
  KINDS[1].extend(overlap),
  KINDS[2].extend(overlap),
  KINDS[3].extend(overlap),
] as const;

/** The next secret, and how long the one before still lives beside it. */
export const rotationBody = z.discriminatedUnion("kind", ROTATION_KINDS);

export const newSecretView = z.strictObject({
  client_id: z.string(),
  kid,
  salt,
  /** Only for a generated secret. It is never shown again. */
  client_secret: z.string().optional(),
  expires_at: instant,
});

export const secretView = z.strictObject({
  kid,
  kind: z.enum(["generated", "chosen", "verifiers", "imported"]),
  created_at: instant,
  expires_at: instant,
  last_used_at: instant.nullable(),
  revoked_at: instant.nullable(),
  live: z.boolean(),
});
export type SecretView = z.infer<typeof secretView>;

export function secretRequestOf(body: z.infer<typeof secretBody>): AnySecretRequest {
  if (body.kind === "verifiers") {
    const { first_day: firstDay, ...rest } = body;
    return { ...rest, firstDay };
  }
  const life = body.days === undefined ? {} : { days: body.days };
  return body.kind === "generated"
    ? { kind: "generated", ...life }
    : { kind: body.kind, secret: body.secret, ...life };
}

export function newSecretViewOf({
  clientId,
  stored,
  clientSecret,
}: RegisteredSecret): z.infer<typeof newSecretView> {
  return {
    client_id: clientId,
    kid: stored.kid,
    salt: stored.salt,
    // Who chose a secret, or made it, has it.
    ...(stored.kind === "generated" && { client_secret: clientSecret }),
    expires_at: formatInstant(stored.expiresAt),
  };
}

/** What the audit log records about a new secret. */
export function secretFactsOf({ stored }: RegisteredSecret) {
  const { kid: id, kind, expiresAt } = stored;
  return { kid: id, kind, expires_at: formatInstant(expiresAt) };
}

export function secretViewOf(secret: SecretState): SecretView {
  return {
    kid: secret.kid,
    kind: secret.kind,
    created_at: formatInstant(secret.createdAt),
    expires_at: formatInstant(secret.expiresAt),
    last_used_at: instantOrNull(secret.lastUsedAt),
    revoked_at: instantOrNull(secret.revokedAt),
    live: secret.live,
  };
}

export function instantOrNull(at: number | undefined): string | null {
  return at === undefined ? null : formatInstant(at);
}
