/** simple-oauth2, @badgateway/oauth2-client and both lines of the MCP SDK. */
import { OAuth2Client, OAuth2Fetch } from "@badgateway/oauth2-client";
import * as two from "@modelcontextprotocol/client";
import * as oneAuth from "@modelcontextprotocol/sdk/client/auth-extensions.js";
import { withOAuth } from "@modelcontextprotocol/sdk/client/middleware.js";
import { ID_JAG_TYP } from "@daykey/common/protocol";
import { importJWK, SignJWT } from "jose";
import { ClientCredentials } from "simple-oauth2";
import { callTime, type ClientAttempt, expectOk } from "../attempt.ts";
import type { World } from "../world.ts";

const simple = { library: "simple-oauth2", from: "simple-oauth2" };

async function simpleOAuth2(world: World, authorizationMethod: "header" | "body"): Promise<void> {
  const client = new ClientCredentials({
    client: { id: world.demo.client_id, secret: world.demo.client_secret },
    auth: { tokenHost: world.issuer, tokenPath: "/oauth2/token" },
    options: { authorizationMethod },
  });
  const { token } = await client.getToken({ scope: ["time:read"] });
  await callTime(world, token["access_token"]);
}

const badgateway = { library: "@badgateway/oauth2-client", from: "@badgateway/oauth2-client" };

type BadgatewayMethod = "client_secret_basic" | "client_secret_post";

function badgatewayClient(
  { issuer, demo }: World,
  authenticationMethod: BadgatewayMethod,
  discoveryEndpoint?: string,
): OAuth2Client {
  const { client_id: clientId, client_secret: clientSecret } = demo;
  return new OAuth2Client({
    server: `${issuer}/`,
    clientId,
    clientSecret,
    authenticationMethod,
    ...(discoveryEndpoint === undefined ? {} : { discoveryEndpoint }),
  });
}

async function useBadgateway(world: World, client: OAuth2Client): Promise<void> {
  const wrapper = new OAuth2Fetch({
    client,
    // Its timer would refresh after the test.
    scheduleRefresh: false,
    getNewToken: () => client.clientCredentials({ scope: ["time:read"] }),
  });
  await expectOk(await wrapper.fetch(`${world.resource}/time`));
}

/** The SDK finds the auth-server from the answer 401 of `/time`, gets a token and calls again. */
async function mcpOne(
  { resource }: World,
  provider: oneAuth.ClientCredentialsProvider | oneAuth.PrivateKeyJwtProvider,
): Promise<void> {
  await expectOk(await withOAuth(provider)(fetch)(`${resource}/time`));
}

async function mcpTwo({ resource }: World, provider: two.OAuthClientProvider): Promise<void> {
  await expectOk(await two.withOAuth(provider)(fetch)(`${resource}/time`));
}

const mcpTwoLibrary = { library: "MCP SDK 2", from: "@modelcontextprotocol/client" };

/** What an identity provider says: the client may act for a person. */
async function idJag(
  { id_provider: { issuer, person, key }, agent }: World,
  { authorizationServerUrl, resourceUrl }: two.CrossAppAccessContext,
): Promise<string> {
  return new SignJWT({ client_id: agent.client_id, resource: resourceUrl })
    .setProtectedHeader({ alg: "ES256", typ: ID_JAG_TYP, kid: key.kid })
    .setIssuer(issuer)
    .setSubject(person)
    .setAudience(authorizationServerUrl)
    .setJti(crypto.randomUUID())
    .setIssuedAt()
    .setExpirationTime("5 min")
    .sign(await importJWK(key.jwk));
}

class DpopProvider extends two.ClientCredentialsProvider {
  readonly #session = two.DpopSession.create();
  dpop(): Promise<two.DpopSession> {
    return this.#session;
  }
}

function mcp<Provider>(
  library: { library: string; from: string },
  use: (world: World, provider: Provider) => Promise<void>,
  make: {
    secret(options: { clientId: string; clientSecret: string; expectedIssuer: string }): Provider;
    key(options: {
      clientId: string;
      privateKey: string;
      algorithm: string;
      expectedIssuer: string;
    }): Provider;
  },
): ClientAttempt[] {
  const secret = (world: World, { client_id, client_secret }: World["demo"]): Provider =>
    make.secret({
      clientId: client_id,
      clientSecret: client_secret,
      expectedIssuer: world.issuer,
    });
  return [
    {
      ...library,
      check: "RFC 8414 discovery",
      run: async (world) => use(world, secret(world, world.demo)),
    },
    {
      ...library,
      check: "client_secret_basic",
      run: async (world) => use(world, secret(world, world.one_scope)),
    },
    ...(["ES256", "RS256"] as const).map((key): ClientAttempt => ({
      ...library,
      check: "private_key_jwt",
      key,
      run: async (world) =>
        use(
          world,
          make.key({
            clientId: world.key_client.client_id,
            privateKey: world.key_client.keys[key].pem,
            algorithm: key,
            expectedIssuer: world.issuer,
          }),
        ),
    })),
  ];
}

export const otherClients: readonly ClientAttempt[] = [
  {
    ...simple,
    check: "client_secret_basic",
    run: async (world) => simpleOAuth2(world, "header"),
  },
  {
    ...simple,
    check: "client_secret_post",
    run: async (world) => simpleOAuth2(world, "body"),
  },
  {
    ...badgateway,
    check: "RFC 8414 discovery",
    run: async (world) => useBadgateway(world, badgatewayClient(world, "client_secret_basic")),
  },
  {
    ...badgateway,
    check: "OpenID discovery",
    run: async (world) =>
      useBadgateway(
        world,
        badgatewayClient(world, "client_secret_basic", "/.well-known/openid-configuration"),
      ),
  },
  ...(["client_secret_basic", "client_secret_post"] as const).map((check): ClientAttempt => ({
    ...badgateway,
    check,
    run: async (world) => useBadgateway(world, badgatewayClient(world, check)),
  })),
  {
    ...badgateway,
    check: "refresh_token",
    async run(world) {
      const client = badgatewayClient(world, "client_secret_basic");
      const first = await client.clientCredentials();
      await callTime(world, (await client.refreshToken(first)).accessToken);
    },
  },
  ...mcp({ library: "MCP SDK 1", from: "@modelcontextprotocol/sdk" }, mcpOne, {
    secret: (options) => new oneAuth.ClientCredentialsProvider(options),
    key: (options) => new oneAuth.PrivateKeyJwtProvider(options),
  }),
  ...mcp(mcpTwoLibrary, mcpTwo, {
    secret: (options) => new two.ClientCredentialsProvider(options),
    key: (options): two.OAuthClientProvider => new two.PrivateKeyJwtProvider(options),
  }),
  {
    ...mcpTwoLibrary,
    check: "DPoP",
    async run(world) {
      const { client_id: clientId, client_secret: clientSecret } = world.demo;
      const expectedIssuer = world.issuer;
      await mcpTwo(world, new DpopProvider({ clientId, clientSecret, expectedIssuer }));
    },
  },
  {
    ...mcpTwoLibrary,
    check: "ID-JAG",
    async run(world) {
      const { client_id: clientId, client_secret: clientSecret } = world.agent;
      const provider = new two.CrossAppAccessProvider({
        assertion: async (context) => idJag(world, context),
        clientId,
        clientSecret,
        expectedIssuer: world.issuer,
      });
      await mcpTwo(world, provider);
    },
  },
];
