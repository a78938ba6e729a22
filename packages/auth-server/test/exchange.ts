/** Clients that act on behalf of others, and the token exchange of RFC 8693. */
import { TOKEN_EXCHANGE_GRANT, TOKEN_TYPES } from "@daykey/common/protocol";
import { decodeJwt, type JWTPayload } from "jose";
import { expect } from "vitest";
import type { ClientRegistration } from "../src/clients/client.ts";
import type { AuthServerConfig } from "../src/config.ts";
import { createTestAdmin, type TestAdmin } from "./admin.ts";
import {
  type Answer,
  API,
  ISSUER,
  OTHER_API,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "./auth-server.ts";

/** Rights to exchange any token. */
export const ANY_TOKEN = { subjects: ["*"], audiences: ["*"], impersonation: false };

export interface ExchangeServer {
  server: TestAuthServer;
  admin: TestAdmin;
  /** A client that may exchange any token, unless the registration says otherwise. */
  actor(registration?: Partial<ClientRegistration>): Promise<TestClient>;
  exchange(
    by: TestClient,
    subject: string,
    form?: Record<string, string>,
    headers?: Record<string, string>,
    at?: TestAuthServer,
  ): Promise<Answer>;
  /** The access token of a successful exchange. */
  exchanged(
    by: TestClient,
    subject: string,
    form?: Record<string, string>,
    headers?: Record<string, string>,
  ): Promise<string>;
  tokenOf(client: TestClient, form?: Record<string, string>): Promise<string>;
  /** What the owner of both resources hears of a token. */
  introspect(token: string): Promise<Record<string, unknown>>;
  isActive(token: string): Promise<boolean>;
  /** Status, error and the reason in the log. */
  refusal(answer: Answer): unknown[];
}

export async function startExchangeServer(
  config: Partial<AuthServerConfig> = {},
): Promise<ExchangeServer> {
  const server = await startAuthServer({ config: { tokenExchange: true, ...config } });
  const admin = await createTestAdmin(server);
  const owner = await server.createClient({ scopes: ["introspect"], resources: [ISSUER] });
  for (const uri of [API, OTHER_API]) {
    await server.database.query(
      `update daykey.resources set owner_client_id = '${owner.clientId}' where uri = '${uri}'`,
    );
  }
  await server.look();

  const introspect = async (token: string): Promise<Record<string, unknown>> =>
    (await server.postAs(owner, "/oauth2/introspect", { token })).body;
  const exchange: ExchangeServer["exchange"] = async (
    by,
    subject,
    form = {},
    headers = {},
    at = server,
  ) =>
    at.token(
      {
        grant_type: TOKEN_EXCHANGE_GRANT,
        client_id: by.clientId,
        client_secret_hash: await server.dayForm(by),
        subject_token: subject,
        subject_token_type: TOKEN_TYPES.accessToken,
        ...form,
      },
      headers,
    );
  return {
    server,
    admin,
    introspect,
    exchange,
    actor: async (registration = {}) =>
      server.createClient({
        grantTypes: ["client_credentials", TOKEN_EXCHANGE_GRANT],
        exchange: ANY_TOKEN,
        ...registration,
      }),
    exchanged: async (...args) => tokenIn(await exchange(...args)),
    tokenOf: async (client, form = {}) => tokenIn(await server.clientCredentials(client, form)),
    isActive: async (token) => (await introspect(token))["active"] as boolean,
    refusal: ({ status, body, headers }) => [
      status,
      body["error"],
      server.lines.find(({ requestId }) => requestId === headers.get("x-request-id"))?.["reason"],
    ],
  };
}

/**
 * A token on behalf of another's, by an actor that is made for it.
 * @param form names the resource that both have, and the actor is registered for
 */
export async function exchangeFor(
  server: TestAuthServer,
  subject: string,
  form: { resource: string },
): Promise<{ actor: TestClient; token: string }> {
  const actor = await server.createClient({
    grantTypes: [TOKEN_EXCHANGE_GRANT],
    resources: [form.resource],
    scopes: ["time:read"],
    exchange: ANY_TOKEN,
  });
  const answer = await server.token({
    grant_type: TOKEN_EXCHANGE_GRANT,
    client_id: actor.clientId,
    client_secret_hash: await server.dayForm(actor),
    subject_token: subject,
    subject_token_type: TOKEN_TYPES.accessToken,
    ...form,
  });
  return { actor, token: tokenIn(answer) };
}

export function tokenIn({ body, text }: Answer): string {
  expect(body["access_token"], text).toBeTypeOf("string");
  return body["access_token"] as string;
}

export const claimsOf = (token: string): JWTPayload & Record<string, unknown> => decodeJwt(token);
