/** The key that signs a test server's access tokens, so that a test can sign what the server never would. */
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes } from "node:crypto";
import { createDatabase } from "@daykey/service/database/database";
import { createTestLog } from "@daykey/service/test/log";
import { createKeysStore } from "../src/keys/keys-store.ts";
import { openMasterKey } from "../src/keys/master-key.ts";
import { createSealer } from "../src/keys/sealing.ts";
import type { TestAuthServer } from "./auth-server.ts";

/** @param kid of a key in the JWKS */
export async function ownKey(
  { database: { appUrl: connectionString }, config }: TestAuthServer,
  kid: string,
): Promise<{ privateKey: KeyObject; publicKey: KeyObject }> {
  const database = createDatabase({ connectionString, max: 1, log: createTestLog().log });
  try {
    const store = createKeysStore(database);
    const salt = await store.passphraseSalt(randomBytes(16));
    const sealer = createSealer(await openMasterKey(config.masterKey, salt));
    const stored = (await store.all()).find((key) => key.kid === kid);
    if (!stored) throw new Error(`no key ${kid}`);
    const privateKey = createPrivateKey({
      key: sealer.open(stored.sealed, { table: "keys", row: kid }),
      format: "der",
      type: "pkcs8",
    });
    return { privateKey, publicKey: createPublicKey(privateKey) };
  } finally {
    await database.close();
  }
}
