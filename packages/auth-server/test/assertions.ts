/** Keys and assertions of clients that use `private_key_jwt`, right unless a test says otherwise. */
import { constants, generateKeyPairSync, type KeyObject, randomUUID, sign } from "node:crypto";
import { expect } from "vitest";
import { createDatabase } from "@daykey/service/database/database";
import { createTestLog } from "@daykey/service/test/log";
import type { AssertionAlgorithm } from "@daykey/common/protocol";
import { registrableKey } from "../src/clients/client-key.ts";
import type { ClientRegistration } from "../src/clients/client.ts";
import { createRegisteredKeysStore } from "../src/registration/registered-keys-store.ts";
import { ISSUER, type Answer, type TestAuthServer, type TestClient } from "./auth-server.ts";

export const ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

export const REFUSED = {
  status: 401,
  body: { error: "invalid_client", error_description: "Client authentication failed." },
};
export const TOKEN = {
  status: 200,
  body: {
    access_token: expect.any(String),
    token_type: "Bearer",
    expires_in: 600,
    scope: expect.any(String),
    refresh_token: expect.any(String),
  },
};

/** The answer to a request for a token with this assertion, without its headers; it never has a challenge. */
export async function answerTo(
  server: TestAuthServer,
  text: string,
  form: Record<string, string> = {},
): Promise<object> {
  const { status, body, headers } = await present(server, text, form);
  expect(headers.get("www-authenticate")).toBeNull();
  return { status, body };
}

export interface TestKey {
  kid: string;
  algorithm: AssertionAlgorithm;
  privateKey: KeyObject;
  /** With kid and alg. */
  publicJwk: Record<string, unknown>;
}

export function createKey(kid: string, algorithm: AssertionAlgorithm = "ES256"): TestKey {
  const { publicKey, privateKey } = keyPair(algorithm);
  return {
    kid,
    algorithm,
    privateKey,
    publicJwk: { ...publicKey.export({ format: "jwk" }), kid, alg: algorithm },
  };
}

function keyPair(algorithm: AssertionAlgorithm): { publicKey: KeyObject; privateKey: KeyObject } {
  if (algorithm === "ES256") return generateKeyPairSync("ec", { namedCurve: "P-256" });
  if (algorithm === "Ed25519") return generateKeyPairSync("ed25519");
  return generateKeyPairSync("rsa", { modulusLength: 2048 });
}

export type Members = Record<string, unknown>;

/** A value whose text is what stands in the JSON; undefined leaves the member out. */
export function assertionOf(
  clientId: string,
  key: TestKey,
  now: number,
  { header = {}, claims = {} }: { header?: Members; claims?: Members } = {},
): string {
  const time = Math.floor(now);
  return signJwt(
    key,
    { alg: key.algorithm, typ: "client-authentication+jwt", kid: key.kid, ...header },
    {
      iss: clientId,
      sub: clientId,
      aud: ISSUER,
      iat: time,
      exp: time + 60,
      jti: randomUUID(),
      ...claims,
    },
  );
}

export function signJwt(key: TestKey, header: Members, claims: Members): string {
  const signed = [header, claims].map(encode).join(".");
  return `${signed}.${signatureOf(key, signed).toString("base64url")}`;
}

export function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

export function signatureOf({ algorithm, privateKey }: TestKey, signed: string): Buffer {
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
  const options = { key: privateKey, dsaEncoding: "ieee-p1363" as const };
  const digest = algorithm === "Ed25519" ? null : "sha256";
  return sign(
    digest,
    Buffer.from(signed),
    algorithm === "PS256" ? { ...options, ...pss } : options,
  );
}

export function present(
  server: TestAuthServer,
  client_assertion: string,
  form: Record<string, string> = {},
): Promise<Answer> {
  return server.token({
    grant_type: "client_credentials",
    client_assertion_type: ASSERTION_TYPE,
    client_assertion,
    ...form,
  });
}

/** Registers keys as the admin API does, and makes the server see them. */
export async function registerKeys(
  server: TestAuthServer,
  clientId: string,
  ...keys: Pick<TestKey, "publicJwk">[]
): Promise<unknown[]> {
  return withKeysStore(server, async (store) => {
    const outcomes = [];
    for (const { publicJwk } of keys) {
      const added = await store.add(clientId, registrableKey(publicJwk), async () => undefined);
      outcomes.push(typeof added === "string" ? added : "added");
    }
    return outcomes;
  });
}

export async function revokeKey(server: TestAuthServer, id: string, kid: string): Promise<void> {
  await withKeysStore(server, (store) => store.revoke(id, kid, async () => undefined));
}

async function withKeysStore<T>(
  server: TestAuthServer,
  work: (store: ReturnType<typeof createRegisteredKeysStore>) => Promise<T>,
): Promise<T> {
  const { log } = createTestLog();
  const database = createDatabase({ connectionString: server.database.appUrl, max: 1, log });
  try {
    return await work(createRegisteredKeysStore(database, { issuer: ISSUER, newsSeconds: 3900 }));
  } finally {
    await database.close();
    await server.look();
  }
}

/** A client that has a key and no other way to prove itself. */
export async function createKeyClient(
  server: TestAuthServer,
  {
    algorithm,
    ...registration
  }: Partial<ClientRegistration> & {
    algorithm?: AssertionAlgorithm;
  } = {},
): Promise<TestClient & { key: TestKey }> {
  const client = await server.createClient({ authMethods: ["private_key_jwt"], ...registration });
  const key = createKey("key-1", algorithm);
  await registerKeys(server, client.clientId, key);
  return { ...client, key };
}
