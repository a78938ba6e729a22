/** openid-client, both lines that are in use. */
import { TOKEN_EXCHANGE_GRANT, TOKEN_TYPES } from "@daykey/common/protocol";
import { importJWK } from "jose";
import * as openid from "openid-client";
import { Issuer } from "openid-client-5";
import { callTime, type ClientAttempt, expectOk } from "../attempt.ts";
import type { World } from "../world.ts";
import type { KeyName } from "../world-clients.ts";

// eslint-disable-next-line typescript/no-deprecated -- the library's mark for plain HTTP, which loopback is
const EXECUTE = { execute: [openid.allowInsecureRequests] };

type Discovery = NonNullable<openid.DiscoveryRequestOptions["algorithm"]>;

async function discover(
  { issuer }: World,
  clientId: string,
  method: openid.ClientAuth,
  algorithm: Discovery = "oidc",
): Promise<openid.Configuration> {
  return openid.discovery(new URL(issuer), clientId, undefined, method, { ...EXECUTE, algorithm });
}

async function bySecret(
  world: World,
  method: (secret: string) => openid.ClientAuth,
  algorithm?: Discovery,
): Promise<openid.Configuration> {
  const { client_id, client_secret } = world.demo;
  return discover(world, client_id, method(client_secret), algorithm);
}

async function useTokens(world: World, config: openid.Configuration): Promise<void> {
  const { access_token } = await openid.clientCredentialsGrant(config, { scope: "time:read" });
  await callTime(world, access_token);
}

async function subjectToken(world: World): Promise<string> {
  const config = await bySecret(world, openid.ClientSecretBasic);
  return (await openid.clientCredentialsGrant(config)).access_token;
}

async function refresh(world: World, config: openid.Configuration): Promise<void> {
  const first = await openid.clientCredentialsGrant(config);
  const { access_token } = await openid.refreshTokenGrant(config, first.refresh_token ?? "");
  await callTime(world, access_token);
}

async function byKey(world: World, key: KeyName): Promise<openid.Configuration> {
  const { client_id, keys } = world.key_client;
  const { jwk, kid } = keys[key];
  const imported = (await importJWK(jwk)) as openid.CryptoKey;
  return discover(world, client_id, openid.PrivateKeyJwt({ key: imported, kid }));
}

const six = { library: "openid-client 6", from: "openid-client" };
const five = { library: "openid-client 5", from: "openid-client-5" };

async function fiveClient(world: World, method: string, path = ""): Promise<FiveClient> {
  const issuer = await Issuer.discover(world.issuer + path);
  const { client_id, client_secret } = world.demo;
  return new issuer.Client({
    client_id,
    client_secret,
    token_endpoint_auth_method: method as "client_secret_basic",
  });
}
type FiveClient = InstanceType<Issuer["Client"]>;

async function fiveKeyClient(world: World, alg: string): Promise<FiveClient> {
  const issuer = await Issuer.discover(world.issuer);
  const { client_id, keys } = world.key_client;
  const { jwk } = keys[alg === "EdDSA" ? "Ed25519" : (alg as KeyName)];
  return new issuer.Client(
    {
      client_id,
      token_endpoint_auth_method: "private_key_jwt",
      token_endpoint_auth_signing_alg: alg,
    },
    { keys: [{ ...jwk, alg }] as unknown as [] },
  );
}

async function fiveUse(world: World, client: FiveClient): Promise<void> {
  const tokens = await client.grant({ grant_type: "client_credentials", scope: "time:read" });
  await callTime(world, tokens.access_token);
}

export const openidClient: readonly ClientAttempt[] = [
  {
    ...six,
    check: "RFC 8414 discovery",
    run: async (world) =>
      useTokens(world, await bySecret(world, openid.ClientSecretBasic, "oauth2")),
  },
  {
    ...six,
    check: "OpenID discovery",
    run: async (world) => useTokens(world, await bySecret(world, openid.ClientSecretBasic)),
  },
  {
    ...six,
    check: "client_secret_basic",
    run: async (world) => useTokens(world, await bySecret(world, openid.ClientSecretBasic)),
  },
  {
    ...six,
    check: "client_secret_post",
    run: async (world) => useTokens(world, await bySecret(world, openid.ClientSecretPost)),
  },
  ...(["ES256", "RS256", "Ed25519"] as const).map((key): ClientAttempt => ({
    ...six,
    check: "private_key_jwt",
    key,
    run: async (world) => useTokens(world, await byKey(world, key)),
  })),
  {
    ...six,
    check: "refresh_token",
    run: async (world) => refresh(world, await bySecret(world, openid.ClientSecretPost)),
  },
  {
    ...six,
    check: "DPoP",
    async run(world) {
      const config = await bySecret(world, openid.ClientSecretBasic);
      const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair());
      const { access_token: token } = await openid.clientCredentialsGrant(config, {}, { DPoP });
      const url = new URL("/time", world.resource);
      const { fetchProtectedResource: call } = openid;
      await expectOk(await call(config, token, url, "GET", null, new Headers(), { DPoP }));
    },
  },
  {
    ...six,
    check: "token exchange",
    async run(world) {
      const { client_id, client_secret } = world.agent;
      const config = await discover(world, client_id, openid.ClientSecretBasic(client_secret));
      const { access_token } = await openid.genericGrantRequest(config, TOKEN_EXCHANGE_GRANT, {
        subject_token: await subjectToken(world),
        subject_token_type: TOKEN_TYPES.accessToken,
      });
      await callTime(world, access_token);
    },
  },
  {
    ...five,
    check: "RFC 8414 discovery",
    run: async (world) =>
      fiveUse(
        world,
        await fiveClient(world, "client_secret_basic", "/.well-known/oauth-authorization-server"),
      ),
  },
  {
    ...five,
    check: "OpenID discovery",
    run: async (world) => fiveUse(world, await fiveClient(world, "client_secret_basic")),
  },
  ...(["client_secret_basic", "client_secret_post"] as const).map((check): ClientAttempt => ({
    ...five,
    check,
    run: async (world) => fiveUse(world, await fiveClient(world, check)),
  })),
  ...(["ES256", "RS256", "Ed25519"] as const).map((key): ClientAttempt => ({
    ...five,
    check: "private_key_jwt",
    key,
    run: async (world) =>
      fiveUse(world, await fiveKeyClient(world, key === "Ed25519" ? "EdDSA" : key)),
  })),
  {
    ...five,
    check: "refresh_token",
    async run(world) {
      const client = await fiveClient(world, "client_secret_post");
      const first = await client.grant({ grant_type: "client_credentials" });
      await callTime(world, (await client.refresh(first.refresh_token ?? "")).access_token);
    },
  },
];
