/**
 * Which secret a client gets: made by the server, made here (only its verifiers are sent, so it never
 * leaves this machine), or chosen by a person and read from standard input.
 */
import { argon2Sync, createHash, createHmac, randomBytes, randomInt } from "node:crypto";
import { toHex } from "@daykey/common/bytes";
import { CLOCK_SKEW_SECONDS, DAY_SECONDS, dayOf, formatDay } from "@daykey/common/clock";
import {
  ARGON2ID,
  dayKey,
  formatSecret,
  type HashPrimitives,
  secretBody,
} from "@daykey/common/secret-hash";
import type { NewSecret } from "./admin-api.ts";
import type { Cli } from "./cli.ts";
import { usageError } from "./exit.ts";
import { readSecretInput } from "./input.ts";
import { parseDuration } from "./times.ts";

export interface SecretOptions {
  life?: string | undefined;
  save?: string | undefined;
  local?: true | undefined;
  chosen?: true | undefined;
}

/** What is sent, and the secret itself where the server does not know it. */
export interface SecretOrder {
  body: object;
  madeHere: { client_secret: string; salt: string } | undefined;
  /** Read here, for its root. */
  chosen?: string;
}

const DEFAULT_DAYS = 366;
const KID_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789";

const hash: HashPrimitives = {
  sha256: (data) => createHash("sha256").update(data).digest(),
  hmacSha256: (key, message) => createHmac("sha256", key).update(message).digest(),
};

/** @throws {CliError} */
export async function orderSecret(
  cli: Cli,
  { life, local, chosen }: SecretOptions,
): Promise<SecretOrder> {
  if (local && chosen) throw usageError("--local and --chosen are both given; give one");
  const days = life === undefined ? undefined : daysIn(life);
  const rest = days === undefined ? {} : { days };
  if (chosen) {
    const secret = await readSecretInput(cli, "the secret");
    return { body: { kind: "chosen", secret, ...rest }, madeHere: undefined, chosen: secret };
  }
  if (!local) return { body: { kind: "generated", ...rest }, madeHere: undefined };
  return makeHere(cli.clock(), days ?? DEFAULT_DAYS);
}

/** docs/protocol.md §1: one verifier for each day of the secret's life. */
async function makeHere(now: number, days: number): Promise<SecretOrder> {
  const kid = Array.from({ length: 8 }, () => KID_LETTERS[randomInt(KID_LETTERS.length)]).join("");
  const salt = randomBytes(16).toString("hex");
  const secret = await formatSecret(hash, secretBody(kid, randomBytes(32)));
  const firstDay = dayOf(now - CLOCK_SKEW_SECONDS);
  // The server ends it as long before its last day's end as a hash may be dated ahead.
  const lastDay = dayOf(now + days * DAY_SECONDS + CLOCK_SKEW_SECONDS) - 1;
  const verifiers: string[] = [];
  for (let day = firstDay; day <= lastDay; day++) {
    const key = await dayKey(hash, secret, salt, formatDay(day));
    verifiers.push(toHex(await hash.sha256(key)));
  }
  const body = { kind: "verifiers", kid, salt, first_day: formatDay(firstDay), verifiers };
  return { body, madeHere: { client_secret: secret, salt } };
}

/** The server's answer, with the secret that it does not know, or with the root of a chosen one. */
export function completed(secret: NewSecret, { madeHere, chosen }: SecretOrder): NewSecret {
  if (madeHere) return { ...secret, ...madeHere };
  return chosen === undefined ? secret : { ...secret, root: rootOf(chosen, secret.salt) };
}

/** docs/protocol.md §1.2. */
function rootOf(chosen: string, salt: string): string {
  const root = argon2Sync("argon2id", {
    message: chosen,
    nonce: Buffer.from(salt, "ascii"),
    memory: ARGON2ID.memoryKiB,
    passes: ARGON2ID.passes,
    parallelism: ARGON2ID.parallelism,
    tagLength: ARGON2ID.hashBytes,
  });
  return root.toString("hex");
}

/** Whole days of `90d`. @throws {CliError} */
export function daysIn(life: string): number {
  const days = parseDuration(life) / DAY_SECONDS;
  if (Number.isInteger(days) && days > 0) return days;
  throw usageError(`"${life}" is not a number of days`, "Write 90d.");
}
