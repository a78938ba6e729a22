/**
 * The core of client authentication: does what was presented belong to one of a client's two secret
 * slots (docs/protocol.md §1)? Every check runs over both slots and all their dates, whatever it finds
 * on the way, and an absent secret is checked like a present one.
 */
import { createHmac, createSecretKey, timingSafeEqual } from "node:crypto";
import { xor } from "@daykey/common/bytes";
import { acceptedDays, CLOCK_SKEW_SECONDS, dayOf } from "@daykey/common/clock";
import {
  kidOfSecret,
  oneTimeMessage,
  parseSecretHash,
  type PresentedHash,
} from "@daykey/common/secret-hash";
import type { SecretSlot } from "../clients/client.ts";
import type { ClientEntry } from "../clients/client-cache.ts";
import type { SecretCredential } from "./credential.ts";
import { dayKeyOf, verifierOf } from "../clients/verifiers.ts";

/** What was proved, by which secret, and what an allowed one still has to pass. */
export interface Proof {
  slot: SecretSlot;
  form: "secret" | "day" | "once" | "seed";
  /** Only for a one-time hash: its nonce, which must be used up, its time, and the key of its day. */
  once?: { nonce: string; whenAt: number; isFresh: boolean; dayKey: Uint8Array };
}

/** The proof in a credential, or undefined. Says nothing yet of the client or the secret's end. */
export function checkCredential(
  credential: SecretCredential,
  entry: ClientEntry,
  context: { issuer: string; now: number },
): Proof | undefined {
  const presented = parseSecretHash(credential.value);
  if (credential.via === "client_secret_hash") {
    if (presented?.form === "once") {
      return checkOneTime(presented, credential.clientId, entry, context);
    }
    if (presented?.form === "seed") return checkSeedHash(credential.value, entry, context.now);
    return checkDayKey(presented?.dayKey, entry, context.now);
  }
  if (presented?.form === "day") return checkDayKey(presented.dayKey, entry, context.now);
  return checkSecret(credential.value, entry, context.now);
}

/** The slot that matches on a day a hash may be dated now. All are tried on all days, whatever is found. */
function slotThat(
  entry: ClientEntry,
  now: number,
  matches: (slot: SecretSlot, day: number) => boolean,
): SecretSlot | undefined {
  const days = new Set(acceptedDays(now));
  let found: SecretSlot | undefined;
  for (const slot of entry.slots) {
    for (const day of days) {
      if (matches(slot, day)) found = slot;
    }
  }
  return found;
}

const NO_KEY = new Uint8Array(32);

/** S(day key) against the verifiers of the dates of 300 s ago and 300 s ahead. */
function checkDayKey(
  dayKey: Uint8Array | undefined,
  entry: ClientEntry,
  now: number,
): Proof | undefined {
  const digest = verifierOf(dayKey ?? NO_KEY);
  const proved = slotThat(entry, now, (slot, day) =>
    timingSafeEqual(digest, verifierAt(entry, slot, day)),
  );
  return dayKey && proved && { slot: proved, form: "day" };
}

/** S(the hash's text) against the verifiers of the same dates; a secret without any has none that is equal. */
function checkSeedHash(text: string, entry: ClientEntry, now: number): Proof | undefined {
  const digest = verifierOf(Buffer.from(text));
  const proved = slotThat(entry, now, (slot, day) =>
    timingSafeEqual(digest, slot.seedVerifiers[day - entry.firstDay] ?? NO_VERIFIER),
  );
  return proved && { slot: proved, form: "seed" };
}

/** The secret itself, in Basic or post: its day keys are made here. Any text costs the same. */
function checkSecret(secret: string, entry: ClientEntry, now: number): Proof | undefined {
  const proved = slotThat(entry, now, (slot, day) =>
    timingSafeEqual(verifierOf(dayKeyOf(secret, slot.salt, day)), verifierAt(entry, slot, day)),
  );
  // The root of a chosen secret proves nothing here, and is no secret of this server's form.
  const isSecret = kidOfSecret(secret) !== undefined || proved?.isImported === true;
  return isSecret && proved ? { slot: proved, form: "secret" } : undefined;
}

/** k = proof XOR H(verifier, message) and S(k) = verifier, for the date that `when` names. */
function checkOneTime(
  hash: PresentedHash & { form: "once" },
  clientId: string,
  entry: ClientEntry,
  { issuer, now }: { issuer: string; now: number },
): Proof | undefined {
  const { kid, when, whenAt, nonce, proof } = hash;
  const message = oneTimeMessage({ issuer, clientId, kid, when, nonce });
  let proved: SecretSlot | undefined;
  let dayKey = NO_KEY;
  for (const slot of entry.slots) {
    const verifier = verifierAt(entry, slot, dayOf(whenAt));
    // As a key object: node:crypto makes one of bytes at three times the cost.
    const mask = createHmac("sha256", createSecretKey(verifier)).update(message).digest();
    const key = xor(proof, mask);
    if (!timingSafeEqual(verifierOf(key), verifier) || slot.kid !== kid) continue;
    proved = slot;
    dayKey = key;
  }
  if (!proved) return undefined;
  const isFresh = Math.abs(now - whenAt) <= CLOCK_SKEW_SECONDS;
  return { slot: proved, form: "once", once: { nonce, whenAt, isFresh, dayKey } };
}

/** For a day the entry has no verifier of: one that S never yields for a key anyone holds. */
const NO_VERIFIER = Buffer.alloc(32);

function verifierAt(entry: ClientEntry, slot: SecretSlot, day: number): Buffer {
  return slot.verifiers[day - entry.firstDay] ?? NO_VERIFIER;
}
