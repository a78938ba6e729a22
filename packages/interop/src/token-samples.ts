/**
 * Tokens for validators: a good one, and bad ones that are wrong in one thing only. All but the
 * tampered one carry a true signature of the issuer, so that nothing but the claim can refuse them.
 */
import { createPrivateKey, randomBytes } from "node:crypto";
import { createKeysStore } from "@daykey/auth-server/keys/keys-store";
import { openMasterKey } from "@daykey/auth-server/keys/master-key";
import { createSealer } from "@daykey/auth-server/keys/sealing";
import { createSigningKey } from "@daykey/auth-server/keys/signer";
import type { AccessTokenClaims } from "@daykey/common/access-token";
import type { SigningAlgorithm } from "@daykey/common/protocol";
import { createDatabase } from "@daykey/service/database/database";
import { createLog } from "@daykey/service/observe/log";

export interface TokenSamples {
  issuer: string;
  jwks_uri: string;
  audience: string;
  good: string;
  /** By what is wrong. A validator that takes one of them fails. */
  bad: Record<"expired" | "audience" | "issuer" | "tampered", string>;
}

const HOUR = 3600;

/** @param options.token a good one, as the auth-server issued it */
export async function tokenSamples({
  issuer,
  resource,
  databaseUrl,
  masterKey,
  token,
}: {
  issuer: string;
  resource: string;
  databaseUrl: string;
  masterKey: string;
  token: string;
}): Promise<TokenSamples> {
  const log = createLog({ name: "interop", level: "silent" });
  const database = createDatabase({ connectionString: databaseUrl, max: 1, log });
  try {
    const store = createKeysStore(database);
    const sealer = createSealer(
      await openMasterKey(masterKey, await store.passphraseSalt(randomBytes(16))),
    );
    const [head = "", payload = "", signature = ""] = token.split(".");
    const { kid } = decode(head) as { kid: string };
    const stored = (await store.all()).find((key) => key.kid === kid);
    if (!stored) throw new Error(`the key ${kid} of the token is not in the database`);
    const key = createPrivateKey({
      key: sealer.open(stored.sealed, { table: "keys", row: kid }),
      format: "der",
      type: "pkcs8",
    });
    const signer = await createSigningKey(kid, stored.algorithm as SigningAlgorithm, key);
    const claims = decode(payload) as AccessTokenClaims;
    const tampered = Buffer.from(
      JSON.stringify({ ...claims, scope: "time:read primes:check" }),
    ).toString("base64url");
    return {
      issuer,
      jwks_uri: `${issuer}/.well-known/jwks.json`,
      audience: resource,
      good: token,
      bad: {
        expired: signer.sign({ ...claims, iat: claims.iat - HOUR, exp: claims.exp - HOUR }),
        audience: signer.sign({ ...claims, aud: "https://other.example.com" }),
        issuer: signer.sign({ ...claims, iss: "https://other.example.com" }),
        tampered: [head, tampered, signature].join("."),
      },
    };
  } finally {
    await database.close();
  }
}

function decode(part: string): unknown {
  return JSON.parse(Buffer.from(part, "base64url").toString());
}
