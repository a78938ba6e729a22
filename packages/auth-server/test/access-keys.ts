/** Access keys of a test server: made through the admin API, asked about as a resource server does. */
import { generateKeyPairSync, type JsonWebKey } from "node:crypto";
import { expect } from "vitest";
import { createTestAdmin, type TestAdmin } from "./admin.ts";
import {
  type Answer,
  API,
  ISSUER,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "./auth-server.ts";
import type { Json } from "./openapi.ts";

export interface AccessKeyBench {
  server: TestAuthServer;
  admin: TestAdmin;
  /** The client that is the server of `API`. */
  owner: TestClient;
  /** @param path `api-keys` or `signature-keys` */
  make(client: TestClient, path: string, body: object): Promise<Json>;
  introspect(by: TestClient, token: string): Promise<Answer>;
  signatureKey(by: TestClient, keyId: string): Promise<Answer>;
  /** About a key that was just made, of either kind; as its resource's server by default. */
  ask(key: Json, by?: TestClient): Promise<Answer>;
}

export async function startAccessKeyBench(): Promise<AccessKeyBench> {
  const server = await startAuthServer();
  const admin = await createTestAdmin(server);
  const owner = await server.createClient({ scopes: ["introspect"], resources: [ISSUER] });
  const path = `/resources/${encodeURIComponent(API)}`;
  const resource = (await admin.get(path)).body;
  await admin.call("PUT", path, { ...resource, owner_client_id: owner.clientId });
  await server.look();

  const introspect: AccessKeyBench["introspect"] = async (by, token) =>
    server.postAs(by, "/oauth2/introspect", { token });
  const signatureKey: AccessKeyBench["signatureKey"] = async (by, keyId) =>
    server.postAs(by, "/signature-keys", { key_id: keyId });
  return {
    server,
    admin,
    owner,
    introspect,
    signatureKey,
    async make(client, kind, body) {
      const made = await admin.post(`/clients/${client.clientId}/${kind}`, {
        name: "key",
        ...body,
      });
      expect(made.status, made.text).toBe(201);
      return made.body;
    },
    ask: async (key, by = owner) =>
      key.api_key === undefined ? signatureKey(by, key.id) : introspect(by, key.api_key),
  };
}

/** The public half of a new key pair. */
export function publicJwk(): JsonWebKey {
  return generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
}
