/** From settings to the server's keys: the master key, what it seals with, and the ring of all others. */
import { randomBytes } from "node:crypto";
import type { SigningAlgorithm } from "@daykey/common/protocol";
import type { Ground } from "../ground.ts";
import { createKeyRing, type KeyPolicies, type KeyRing } from "./key-ring.ts";
import { createKeysStore, type KeysStore } from "./keys-store.ts";
import { type MasterKey, openMasterKey } from "./master-key.ts";
import { createSealer, type Sealer } from "./sealing.ts";

/** AES-GCM with random ivs wants a key to seal no more than 2^31 tokens. */
const OPAQUE_KEY_SECONDS = 86_400;

/** From a symmetric key's birth to its first use: time for every instance to load it. */
const SYMMETRIC_KEY_AHEAD_SECONDS = 3600;

export interface KeySettings {
  masterKey: string;
  masterKeyPrevious: string | undefined;
  signingAlgorithm: SigningAlgorithm;
  keyRotationSeconds: number;
  keyOverlapSeconds: number;
  accessTokenMaxSeconds: number;
  refreshAbsoluteMaxSeconds: number;
}

/** @throws {CannotUnseal} when the master key is not the one the database was sealed with */
export async function openKeyRing({
  settings,
  database,
  clock,
  log,
}: Pick<Ground, "settings" | "database" | "clock" | "log">): Promise<{
  /** What the ring is read from. */
  stored: KeysStore;
  keys: KeyRing;
  sealer: Sealer;
  masterKey: MasterKey;
}> {
  const store = createKeysStore(database);
  const salt = await store.passphraseSalt(randomBytes(16));
  const masterKey = await openMasterKey(settings.masterKey, salt);
  const previous = settings.masterKeyPrevious;
  const sealer = createSealer(
    masterKey,
    previous === undefined ? undefined : await openMasterKey(previous, salt),
  );
  const keys = await createKeyRing({ store, sealer, policies: keyPolicies(settings), clock, log });
  return { stored: store, keys, sealer, masterKey };
}

/** A key outlives what it made: a signing key its tokens, a refresh-token key the longest grant. */
function keyPolicies(settings: KeySettings): KeyPolicies {
  return {
    accessToken: {
      algorithm: settings.signingAlgorithm,
      rotateEverySeconds: settings.keyRotationSeconds,
      aheadSeconds: settings.keyOverlapSeconds,
      keepSeconds: settings.accessTokenMaxSeconds + settings.keyOverlapSeconds,
    },
    refreshToken: {
      rotateEverySeconds: settings.keyRotationSeconds,
      aheadSeconds: SYMMETRIC_KEY_AHEAD_SECONDS,
      keepSeconds: settings.refreshAbsoluteMaxSeconds,
    },
    opaqueToken: {
      rotateEverySeconds: OPAQUE_KEY_SECONDS,
      aheadSeconds: SYMMETRIC_KEY_AHEAD_SECONDS,
      keepSeconds: settings.accessTokenMaxSeconds,
    },
  };
}
