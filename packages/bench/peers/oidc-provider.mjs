/**
 * node-oidc-provider with client_credentials and introspection alone, its answers as its documents
 * show them. The resource says the token's format: `urn:ES256` and so on a JWT, `urn:opaque` a stored
 * one. In memory, or durable when DATABASE_URL is set.
 */
import { createServer } from "node:http";
import { generateKeyPairSync } from "node:crypto";
import { Provider } from "oidc-provider";
import { createPostgresAdapter } from "./oidc-postgres-adapter.mjs";

const { PORT, CLIENT_ID, CLIENT_SECRET, DATABASE_URL } = process.env;

const KEYS = {
  ES256: ["ec", { namedCurve: "P-256" }],
  EdDSA: ["ed25519", {}],
  RS256: ["rsa", { modulusLength: 2048 }],
};
const keys = Object.entries(KEYS).map(([alg, [type, options]]) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }),
  alg,
  use: "sig",
  kid: alg,
}));

const provider = new Provider(`http://127.0.0.1:${PORT}`, {
  ...(DATABASE_URL && { adapter: await createPostgresAdapter(DATABASE_URL) }),
  clients: [
    {
      client_id: CLIENT_ID,
      client_secret: CLIENT_SECRET,
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    },
  ],
  jwks: { keys },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_ctx, resource) => ({
        scope: "time:read primes:check",
        accessTokenTTL: 600,
        ...(resource === "urn:opaque"
          ? { accessTokenFormat: "opaque" }
          : { accessTokenFormat: "jwt", jwt: { sign: { alg: resource.slice("urn:".length) } } }),
      }),
    },
  },
});

createServer(provider.callback()).listen(Number(PORT), "127.0.0.1");
