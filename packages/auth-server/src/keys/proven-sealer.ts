/** Proof that a master key is this database's, for a program that does not serve. */
import { randomBytes } from "node:crypto";
import { OWN_MESSAGE } from "@daykey/common/own-message";
import type { KeysStore } from "./keys-store.ts";
import { openMasterKey } from "./master-key.ts";
import { createSealer, type Sealer } from "./sealing.ts";

/** No server has used the database yet. The message is one sentence for the operator. */
export class NoKeys extends Error {
  readonly [OWN_MESSAGE] = true;
  override readonly name = "NoKeys";
}

interface MasterKeys {
  masterKey: string;
  masterKeyPrevious?: string | undefined;
}

/**
 * `provenSealer`, for a set-up: before the first start nothing is there yet that a key could be proven by,
 * and the server will get the same one.
 * @throws {CannotUnseal} with another master key
 */
export async function setUpSealer(store: KeysStore, given: MasterKeys): Promise<Sealer> {
  return (await store.all()).length > 0 ? provenSealer(store, given) : sealerOf(store, given);
}

/**
 * The sealer of the master key, if that is the one which sealed this database's keys.
 * @throws {CannotUnseal} with another master key, {NoKeys} on a database without keys
 */
export async function provenSealer(
  store: KeysStore,
  { masterKey, masterKeyPrevious }: MasterKeys,
): Promise<Sealer> {
  const keys = await store.all();
  const [first] = keys;
  if (!first) {
    throw new NoKeys(
      "This database was never served: start the auth-server with ADMIN_CREDENTIAL_FILE instead",
    );
  }
  const sealer = await sealerOf(store, { masterKey, masterKeyPrevious });
  const key = keys.find(({ sealed }) => sealer.knows(sealed)) ?? first;
  sealer.open(key.sealed, { table: "keys", row: key.kid });
  return sealer;
}

async function sealerOf(
  store: KeysStore,
  { masterKey, masterKeyPrevious }: MasterKeys,
): Promise<Sealer> {
  const salt = await store.passphraseSalt(randomBytes(16));
  return createSealer(
    await openMasterKey(masterKey, salt),
    masterKeyPrevious === undefined ? undefined : await openMasterKey(masterKeyPrevious, salt),
  );
}
