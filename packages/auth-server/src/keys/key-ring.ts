/**
 * The key ring: it opens every key of the database and keeps it in memory. `keys-in-use.ts` says which
 * of them is used when, `rotation.ts` what is due. The ring makes what is missing on the first start,
 * rotates on schedule, seals anew after a change of the master key, and is told by the change watcher
 * when another instance did any of that.
 */
import { createPrivateKey, randomBytes } from "node:crypto";
import type { Clock } from "@daykey/common/clock";
import { SIGNING_ALGORITHMS, type SigningAlgorithm } from "@daykey/common/protocol";
import type { Log } from "@daykey/service/observe/log";
import { randomKid } from "../random-kid.ts";
import { createKeyChanges, type KeyChanges } from "./key-changes.ts";
import { KEY_PURPOSES, type KeyPurpose, type KeysStore, type StoredKey } from "./keys-store.ts";
import {
  createKeysInUse,
  type KeysInUse,
  type RingKey,
  type RingKeys,
  UNREADABLE,
} from "./keys-in-use.ts";
import { rotationDue, type RotationPolicy } from "./rotation.ts";
import type { Sealer } from "./sealing.ts";
import { createSigningKey, generateSigningKey, type SigningKey } from "./signer.ts";
import { createSymmetricKey, type SymmetricKey } from "./symmetric-keys.ts";

/** The names of what symmetric keys do (RFC 7518): the MAC of refresh tokens, the seal of opaque ones. */
const REFRESH_ALGORITHM = "HS256";
const OPAQUE_ALGORITHM = "A256GCM";

export interface KeyRing extends KeysInUse, KeyChanges {
  /** Undefined after one look into the database, at most one a second, for a kid that is not known. */
  refreshKey(kid: string): Promise<SymmetricKey | undefined>;
  /**
   * Reads the keys again. One that was made under a master key which this instance does not have is
   * passed over until it is needed: the other keys go on.
   */
  reload(): Promise<void>;
  /** Does what rotation has due, and reads the keys again. */
  rotate(): Promise<void>;
}

export interface KeyPolicies {
  accessToken: RotationPolicy & { algorithm: SigningAlgorithm };
  refreshToken: Omit<RotationPolicy, "algorithm">;
  opaqueToken: Omit<RotationPolicy, "algorithm">;
}

/** A line of the log about a change that the server makes by itself. */
interface KeyNote {
  event: string;
  message: string;
  reason: string;
  kid: string;
  purpose: KeyPurpose;
  /** Epoch seconds of its first use. */
  activeAt?: number;
}

const MADE = { event: "key_made", message: "a key was made" };
const REMOVED = {
  event: "key_removed",
  message: "a key was removed",
  reason: "outlived_what_it_made",
};
const SEALED_ANEW = {
  event: "key_sealed_anew",
  message: "a key was sealed by the new master key",
  reason: "master_key_changed",
};

const UNKNOWN_KEY_COOLDOWN_SECONDS = 1;

/** @throws {CannotUnseal} when the master key is not the one the database was sealed with */
export async function createKeyRing({
  store,
  sealer,
  policies,
  clock,
  log,
}: {
  store: KeysStore;
  sealer: Sealer;
  policies: KeyPolicies;
  clock: Clock;
  log: Log;
}): Promise<KeyRing> {
  const policyOf: Record<KeyPurpose, RotationPolicy> = {
    access_token: policies.accessToken,
    refresh_token: { ...policies.refreshToken, algorithm: REFRESH_ALGORITHM },
    opaque_token: { ...policies.opaqueToken, algorithm: OPAQUE_ALGORITHM },
  };
  let ring: RingKeys = { access_token: [], refresh_token: [], opaque_token: [] };
  const { refreshKeyOf, ...inUse } = createKeysInUse({ read: () => ring, policyOf, clock });
  let unknownKeyReadAt = -Infinity;
  let unknownKeyRead = Promise.resolve();
  let lastRead = 0;
  let appliedRead = 0;
  /** At its start an instance opens every key, so that a wrong master key is seen at once. */
  let isStarted = false;

  async function reload(): Promise<void> {
    const read = ++lastRead;
    const stored = await store.all();
    const known = new Map(
      [...ring.access_token, ...ring.refresh_token, ...ring.opaque_token].map((key) => [
        key.kid,
        key,
      ]),
    );
    const isUnreadable = (row: StoredKey): boolean => {
      if (!isStarted || known.get(row.kid)?.key || sealer.knows(row.sealed)) return false;
      if (!known.has(row.kid)) {
        log.error({ event: "key_unreadable", kid: row.kid, purpose: row.purpose }, UNREADABLE);
      }
      return true;
    };
    const nextSigning: RingKey<SigningKey>[] = [];
    const nextRefresh: RingKey<SymmetricKey>[] = [];
    const nextOpaque: RingKey<SymmetricKey>[] = [];
    for (const row of stored) {
      const times = { kid: row.kid, algorithm: row.algorithm, activeAt: row.activeAt };
      const opened = known.get(row.kid)?.key;
      if (row.purpose === "access_token") {
        const openSigning = (): Promise<SigningKey> | undefined =>
          isUnreadable(row) ? undefined : openSigningKey(row);
        const key = (opened as SigningKey | undefined) ?? (await openSigning());
        nextSigning.push({ ...times, key });
      } else {
        const openSymmetric = (): SymmetricKey | undefined =>
          isUnreadable(row) ? undefined : createSymmetricKey(row.kid, open(row));
        const key = (opened as SymmetricKey | undefined) ?? openSymmetric();
        (row.purpose === "refresh_token" ? nextRefresh : nextOpaque).push({ ...times, key });
      }
    }
    // One that began later has seen more, and may have ended before.
    if (read < appliedRead) return;
    appliedRead = read;
    ring = {
      access_token: nextSigning,
      refresh_token: nextRefresh,
      opaque_token: nextOpaque,
    };
  }

  function open(row: StoredKey): Buffer {
    return sealer.open(row.sealed, { table: "keys", row: row.kid });
  }

  async function openSigningKey(row: StoredKey): Promise<SigningKey> {
    const algorithm = SIGNING_ALGORITHMS.find((name) => name === row.algorithm);
    if (!algorithm) throw new TypeError(`unknown signing algorithm ${row.algorithm}`);
    const privateKey = createPrivateKey({ key: open(row), format: "der", type: "pkcs8" });
    return createSigningKey(row.kid, algorithm, privateKey);
  }

  async function makeKey(purpose: KeyPurpose, activeAt: number): Promise<StoredKey> {
    const made =
      purpose === "access_token"
        ? await makeSigningKey(policies.accessToken.algorithm)
        : { kid: randomKid(), secret: randomBytes(32) };
    return {
      kid: made.kid,
      purpose,
      algorithm: policyOf[purpose].algorithm,
      sealed: sealer.seal(made.secret, { table: "keys", row: made.kid }),
      activeAt,
    };
  }

  async function rotate(): Promise<void> {
    if (isAnythingDue(await store.all())) {
      let done: KeyNote[] = [];
      await store.change(async (keys) => {
        const { notes, ...plan } = await planDue(keys);
        done = notes;
        return plan;
      });
      for (const { event, message, ...facts } of done) log.info({ event, ...facts }, message);
    }
    // Whether or not it was this instance that did it.
    await reload();
  }

  async function planDue(
    keys: StoredKey[],
  ): Promise<{ put: StoredKey[]; remove: string[]; notes: KeyNote[] }> {
    const put: StoredKey[] = keys.filter(isToBeSealedAnew).map((key) => ({
      ...key,
      sealed: sealer.seal(open(key), { table: "keys", row: key.kid }),
    }));
    const notes: KeyNote[] = put.map(({ kid, purpose }) => ({ ...SEALED_ANEW, kid, purpose }));
    const remove: string[] = [];
    for (const [purpose, due] of allDue(keys)) {
      if (due.create) {
        const { activeAt } = due.create;
        const made = await makeKey(purpose, activeAt);
        const reason = keys.some((key) => key.purpose === purpose) ? "rotation_due" : "first_key";
        put.push(made);
        notes.push({ ...MADE, kid: made.kid, purpose, reason, activeAt });
      }
      remove.push(...due.remove);
      notes.push(...due.remove.map((kid) => ({ ...REMOVED, kid, purpose })));
    }
    return { put, remove, notes };
  }

  function allDue(keys: readonly StoredKey[]): [KeyPurpose, ReturnType<typeof rotationDue>][] {
    const at = clock();
    return KEY_PURPOSES.map((purpose) => [
      purpose,
      rotationDue(
        keys.filter((key) => key.purpose === purpose),
        policyOf[purpose],
        at,
      ),
    ]);
  }

  const isToBeSealedAnew = ({ sealed }: StoredKey): boolean =>
    !sealer.isCurrent(sealed) && (!isStarted || sealer.knows(sealed));

  function isAnythingDue(keys: readonly StoredKey[]): boolean {
    return (
      keys.some(isToBeSealedAnew) ||
      allDue(keys).some(([, { create, remove }]) => create || remove.length > 0)
    );
  }

  await rotate();
  isStarted = true;

  return {
    ...inUse,
    async refreshKey(kid) {
      const found = refreshKeyOf(kid);
      if (found) return found;
      if (Math.abs(clock() - unknownKeyReadAt) >= UNKNOWN_KEY_COOLDOWN_SECONDS) {
        unknownKeyReadAt = clock();
        unknownKeyRead = reload();
      }
      // Whoever asks meanwhile waits for the same look, and shares its failure.
      await unknownKeyRead;
      return refreshKeyOf(kid);
    },
    reload,
    rotate,
    ...createKeyChanges({ store, makeKey, reload, clock }),
  };
}

async function makeSigningKey(
  algorithm: SigningAlgorithm,
): Promise<{ kid: string; secret: Buffer }> {
  const { kid, privateKey } = await generateSigningKey(algorithm);
  return { kid, secret: privateKey.export({ format: "der", type: "pkcs8" }) };
}
