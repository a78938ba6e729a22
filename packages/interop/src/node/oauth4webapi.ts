import { importJWK } from "jose";
import * as oauth from "oauth4webapi";
import { callTime, type ClientAttempt, expectOk, type ValidatorAttempt } from "../attempt.ts";
import { TOKEN_ALGORITHMS, type World } from "../world.ts";

// eslint-disable-next-line typescript/no-deprecated -- the library's mark for plain HTTP, which loopback is
const INSECURE = { [oauth.allowInsecureRequests]: true };

async function discover(
  issuerText: string,
  algorithm: "oauth2" | "oidc" = "oauth2",
): Promise<oauth.AuthorizationServer> {
  const issuer = new URL(issuerText);
  const response = await oauth.discoveryRequest(issuer, { algorithm, ...INSECURE });
  return oauth.processDiscoveryResponse(issuer, response);
}

async function grant(
  server: oauth.AuthorizationServer,
  client: oauth.Client,
  method: oauth.ClientAuth,
): Promise<oauth.TokenEndpointResponse> {
  return oauth.processClientCredentialsResponse(
    server,
    client,
    await oauth.clientCredentialsGrantRequest(server, client, method, {}, INSECURE),
  );
}

async function bySecret(
  world: World,
  method: (secret: string) => oauth.ClientAuth,
  algorithm?: "oauth2" | "oidc",
): Promise<void> {
  const { client_id, client_secret } = world.demo;
  const server = await discover(world.issuer, algorithm);
  const { access_token } = await grant(server, { client_id }, method(client_secret));
  await callTime(world, access_token);
}

const it = { library: "oauth4webapi", from: "oauth4webapi" };

export const oauth4webapiClient: readonly ClientAttempt[] = [
  {
    ...it,
    check: "RFC 8414 discovery",
    run: async (world) => bySecret(world, oauth.ClientSecretBasic),
  },
  {
    ...it,
    check: "OpenID discovery",
    run: async (world) => bySecret(world, oauth.ClientSecretBasic, "oidc"),
  },
  {
    ...it,
    check: "client_secret_basic",
    run: async (world) => bySecret(world, oauth.ClientSecretBasic),
  },
  {
    ...it,
    check: "client_secret_post",
    run: async (world) => bySecret(world, oauth.ClientSecretPost),
  },
  ...(["ES256", "RS256", "Ed25519"] as const).map((key): ClientAttempt => ({
    ...it,
    check: "private_key_jwt",
    key,
    async run(world) {
      const { client_id, keys } = world.key_client;
      // Without naming the key: the server tries each of that algorithm.
      const method = oauth.PrivateKeyJwt((await importJWK(keys[key].jwk)) as oauth.CryptoKey);
      const { access_token } = await grant(await discover(world.issuer), { client_id }, method);
      await callTime(world, access_token);
    },
  })),
  {
    ...it,
    check: "DPoP",
    async run(world) {
      const server = await discover(world.issuer);
      const client: oauth.Client = { client_id: world.demo.client_id };
      const method = oauth.ClientSecretBasic(world.demo.client_secret);
      const DPoP = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));
      const options = { ...INSECURE, DPoP };
      const answer = oauth.clientCredentialsGrantRequest(server, client, method, {}, options);
      const tokens = await oauth.processClientCredentialsResponse(server, client, await answer);
      const url = new URL("/time", world.resource);
      const { protectedResourceRequest: call } = oauth;
      await expectOk(await call(tokens.access_token, "GET", url, new Headers(), null, options));
    },
  },
  {
    ...it,
    check: "refresh_token",
    async run(world) {
      const server = await discover(world.issuer);
      const client = { client_id: world.demo.client_id };
      const method = oauth.ClientSecretBasic(world.demo.client_secret);
      const first = await grant(server, client, method);
      const { access_token } = await oauth.processRefreshTokenResponse(
        server,
        client,
        await oauth.refreshTokenGrantRequest(
          server,
          client,
          method,
          first.refresh_token ?? "",
          INSECURE,
        ),
      );
      await callTime(world, access_token);
    },
  },
];

export const oauth4webapiValidator: readonly ValidatorAttempt[] = TOKEN_ALGORITHMS.map((check) => ({
  ...it,
  check,
  async open({ issuer, audience }) {
    const server = await discover(issuer);
    return {
      validate: async (token) => {
        const headers = { authorization: `Bearer ${token}` };
        const request = new Request("http://localhost/", { headers });
        return oauth.validateJwtAccessToken(server, request, audience, INSECURE);
      },
    };
  },
}));
