/** A real auth-server over PostgreSQL, at which a resource is registered with a client and keys of it. */
import { readSignatureKey, type SignatureKey } from "@daykey/client/internal/signature-key";
import { createTestAdmin } from "@daykey/auth-server/test/admin";
import {
  API,
  ISSUER,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "@daykey/auth-server/test/auth-server";
import type { OwnCredential } from "../src/tokens/own-client.ts";

export { API, ISSUER };

/** Claims of both clients. */
export const EXT = { tenant: "acme", plan: { level: 3 } };

export interface RealIssuer {
  server: TestAuthServer;
  /** The resource's own. */
  credential: OwnCredential;
  client: TestClient;
  /** A JWT of the client, by default with all scopes. */
  token(form?: Record<string, string>): Promise<string>;
  /** An opaque access token. */
  opaqueToken(): Promise<string>;
  apiKey: string;
  signatureKey: SignatureKey;
  stop(): Promise<void>;
}

export async function startRealIssuer(): Promise<RealIssuer> {
  const server = await startAuthServer({ config: { tokenExchange: true } });
  const admin = await createTestAdmin(server);
  const owner = await server.createClient({
    scopes: ["introspect", "revocations:read"],
    resources: [ISSUER],
  });
  const path = `/resources/${encodeURIComponent(API)}`;
  const resource = (await admin.get(path)).body;
  await admin.call("PUT", path, { ...resource, owner_client_id: owner.clientId });
  const about = { resource: API, scopes: ["time:read"] };
  const client = await server.createClient({ resources: [API], scopes: ["time:read"], ext: EXT });
  const veiled = await server.createClient({
    resources: [API],
    scopes: ["time:read"],
    accessTokenFormat: "opaque",
    ext: EXT,
  });
  await server.look();
  const make = async (kind: string, body: object) =>
    (await admin.post(`/clients/${client.clientId}/${kind}`, { name: "key", ...body })).body;
  const apiKey = await make("api-keys", about);
  const signing = await make("signature-keys", { ...about, algorithm: "hmac-sha256" });
  const tokenOf = async (by: TestClient, form?: Record<string, string>): Promise<string> => {
    const answer = await server.clientCredentials(by, form);
    if (answer.status !== 200) throw new Error(`no token: ${answer.text}`);
    return String(answer.body["access_token"]);
  };
  const { clientId, clientSecret, salt } = owner;
  return {
    server,
    credential: { clientId, clientSecret, salt },
    client,
    token: (form) => tokenOf(client, form),
    opaqueToken: () => tokenOf(veiled),
    apiKey: String(apiKey.api_key),
    signatureKey: await readSignatureKey({
      key_id: String(signing.id),
      algorithm: "hmac-sha256",
      client_id: client.clientId,
      resource: API,
      secret: String(signing.secret),
    }),
    stop: server.stop,
  };
}
