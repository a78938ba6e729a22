/**
 * Making a client's secret: what the client is given once and the verifiers that are kept.
 * A verifier is S(day key); from it no day key, root or secret can be had (docs/protocol.md §1).
 */
import { createHmac, randomBytes } from "node:crypto";
import argon2 from "argon2";
import { fromHex } from "@daykey/common/bytes";
import {
  acceptedDays,
  CLOCK_SKEW_SECONDS,
  DAY_SECONDS,
  dayOf,
  formatDay,
  parseDay,
} from "@daykey/common/clock";
import {
  ARGON2ID,
  formatSecret,
  isChosenSecret,
  isKid,
  isSalt,
  secretBody,
  seedHashMessage,
} from "@daykey/common/secret-hash";
import { problem, type ProblemError } from "@daykey/service/http/problem-error";
import { randomKid } from "../random-kid.ts";
import { dayKeyOf, hashPrimitives, type StoredSecret, verifierOf } from "../clients/verifiers.ts";
import { createGate, GateFull } from "./gate.ts";
import { importFault } from "./import-fault.ts";

const DEFAULT_SECRET_DAYS = 366;
export const MAX_SECRET_DAYS = 400;
const VERIFIER_BYTES = 32;

/** What the operator asks for: a secret made here, chosen by a person, or made by another server. `days` is its life. */
export type SecretRequest =
  | { kind: "generated"; days?: number }
  | { kind: "chosen" | "imported"; secret: string; days?: number };

/** A secret that its client made and keeps to itself: only the verifiers come here. */
export interface BroughtVerifiers {
  kind: "verifiers";
  kid: string;
  salt: string;
  /** `YYYY-MM-DD` of the first verifier: yesterday, today or tomorrow. */
  firstDay: string;
  /** 64 lowercase hex each, one a day without gaps. The secret ends with the last one's day. */
  verifiers: readonly string[];
}

/** A secret just made. `clientSecret` is shown once and then forgotten. */
export interface NewSecret {
  clientSecret: string;
  stored: StoredSecret;
}

export interface SecretMaker {
  /**
   * @throws {ProblemError} 400 for a chosen secret or a life out of bounds, 503 with Retry-After when
   *   too many chosen secrets are being hashed
   */
  make(request: SecretRequest, now: number): Promise<NewSecret>;
}

/**
 * The row of a secret that was brought as verifiers.
 * @throws {ProblemError} 400 for what cannot be such verifiers
 */
export function storedVerifiers(brought: BroughtVerifiers, now: number): StoredSecret {
  const { kind, kid, salt, firstDay: firstDate, verifiers } = brought;
  const firstDay = parseDay(firstDate);
  const [earliest, latest] = acceptedDays(now);
  const bytes = verifiers.map((hex) => fromHex(hex, VERIFIER_BYTES));
  if (
    !isKid(kid) ||
    !isSalt(salt) ||
    firstDay === undefined ||
    firstDay < earliest - 1 ||
    firstDay > latest + 1 ||
    !bytes.every((verifier) => verifier !== undefined) ||
    new Set(verifiers).size !== verifiers.length
  ) {
    throw problem("invalid-verifiers", {
      detail:
        "kid, salt, first_day (yesterday to tomorrow) and the verifiers, one a day and each another, follow docs/protocol.md §1.",
    });
  }
  // A hash may be dated 300 s ahead, and has to find its verifier up to the secret's end.
  const expiresAt = (firstDay + bytes.length) * DAY_SECONDS - CLOCK_SKEW_SECONDS;
  const days = (expiresAt - now) / DAY_SECONDS;
  if (days <= 0 || days > MAX_SECRET_DAYS) throw lifeOutOfBounds();
  return { kid, kind, salt, firstDay, verifiers: Buffer.concat(bytes), expiresAt };
}

/** S(hash text) of the seed-compatible hash of a date. */
function seedVerifierOf(secret: string, salt: string, day: number): Buffer {
  const hmac = createHmac("sha1", secret).update(seedHashMessage(formatDay(day), salt));
  return verifierOf(Buffer.from(hmac.digest("hex")));
}

function lifeOutOfBounds(): ProblemError {
  return problem("invalid-secret-life", { detail: `A secret lives 1 to ${MAX_SECRET_DAYS} days.` });
}

/** Argon2 shares libuv's thread pool with everything else, so few run at once and few wait. */
const ARGON2_GATE = { atOnce: 2, waiting: 32 };

/** @param options.seedHash whether generated secrets get verifiers of the seed-compatible hash too */
export function createSecretMaker({ seedHash = false } = {}): SecretMaker {
  const gate = createGate(ARGON2_GATE);

  async function rootOf(chosen: string, salt: string): Promise<string> {
    const root = await gate(() =>
      argon2.hash(chosen, {
        raw: true,
        type: argon2.argon2id,
        salt: Buffer.from(salt, "ascii"),
        memoryCost: ARGON2ID.memoryKiB,
        timeCost: ARGON2ID.passes,
        parallelism: ARGON2ID.parallelism,
        hashLength: ARGON2ID.hashBytes,
      }),
    );
    return root.toString("hex");
  }

  return {
    async make(request, now) {
      const days = request.days ?? DEFAULT_SECRET_DAYS;
      if (!Number.isInteger(days) || days < 1 || days > MAX_SECRET_DAYS) {
        throw lifeOutOfBounds();
      }
      const kid = randomKid();
      const salt = randomBytes(16).toString("hex");
      const made = await secretAndRoot(request, kid, salt);
      const expiresAt = now + days * DAY_SECONDS;
      const firstDay = dayOf(now - CLOCK_SKEW_SECONDS);
      const lastDay = dayOf(expiresAt + CLOCK_SKEW_SECONDS);
      const eachDay = (make: (day: number) => Buffer): Buffer =>
        Buffer.concat(Array.from({ length: lastDay - firstDay + 1 }, (_, i) => make(firstDay + i)));
      const isSeed = seedHash && request.kind === "generated";
      return {
        clientSecret: made.clientSecret,
        stored: {
          kid,
          kind: request.kind,
          salt,
          firstDay,
          verifiers: eachDay((day) => verifierOf(dayKeyOf(made.root, salt, day))),
          ...(isSeed && {
            seedVerifiers: eachDay((day) => seedVerifierOf(made.root, salt, day)),
          }),
          expiresAt,
        },
      };
    },
  };

  async function secretAndRoot(
    request: SecretRequest,
    kid: string,
    salt: string,
  ): Promise<{ clientSecret: string; root: string }> {
    if (request.kind === "generated") {
      const clientSecret = await formatSecret(hashPrimitives, secretBody(kid, randomBytes(32)));
      return { clientSecret, root: clientSecret };
    }
    if (request.kind === "imported") {
      const fault = importFault(request.secret);
      if (fault !== undefined) throw problem("invalid-secret", { detail: fault });
      return { clientSecret: request.secret, root: request.secret };
    }
    if (!isChosenSecret(request.secret)) {
      throw problem("invalid-secret", {
        detail: "A chosen secret is 12 to 128 bytes of NFC text without control characters.",
      });
    }
    try {
      return { clientSecret: request.secret, root: await rootOf(request.secret, salt) };
    } catch (error) {
      if (!(error instanceof GateFull)) throw error;
      throw problem("busy", { headers: { "Retry-After": "2" } });
    }
  }
}
