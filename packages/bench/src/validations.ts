/** Validations a second: `GET /time` with an access token of Daykey's, before each validator. */
import { PATHS } from "@daykey/common/protocol";
import { get } from "./connection.ts";
import { type AuthServer, RESOURCE } from "./daykey.ts";
import type { Contender } from "./rounds.ts";
import { basic, createBoundScripts, repeating } from "./scripts.ts";
import type { ServerProcess } from "./server-process.ts";
import { accessToken } from "./tokens.ts";

/** As many clients as call an API within a token's life, and far fewer than any cache holds. */
const TOKENS = 100;

export async function accessTokens({ server, client }: AuthServer): Promise<string[]> {
  const headers = basic(client.clientId, client.clientSecret);
  const form = { grant_type: "client_credentials" };
  const one = (): Promise<string> => accessToken(server.port, PATHS.token, headers, form);
  return Promise.all(Array.from({ length: TOKENS }, one));
}

export function validations(
  name: string,
  server: ServerProcess,
  tokens: readonly string[],
): Contender {
  const { port } = server;
  const requests = tokens.map((token) => get(port, "/time", { Authorization: `Bearer ${token}` }));
  return { name, server, port, scripts: repeating(requests) };
}

/** More than a resource-server answers in a second on one core. */
const MOST_PER_SECOND = 8000;

/** The same with tokens that are bound to a key, each request with a proof of its own (RFC 9449). */
export async function boundValidations(
  algorithm: "ES256" | "Ed25519",
  auth: AuthServer,
  server: ServerProcess,
): Promise<Contender> {
  const { port } = server;
  const bound = await createBoundScripts(auth, { port, resource: RESOURCE, algorithm });
  return {
    name: `Daykey's resource-server, bound to a key, ${algorithm}`,
    server,
    port,
    scripts: bound.scripts,
    prepare: (seconds) => bound.prepare(Math.ceil(seconds * MOST_PER_SECOND)),
  };
}

/** The same, asked by a proxy: the gateway decides, and nobody answers. */
export function gatewayChecks(
  name: string,
  server: ServerProcess,
  tokens: readonly string[],
): Contender {
  const { port } = server;
  const asked = {
    "X-Forwarded-Method": "GET",
    "X-Forwarded-Host": "api.example.com",
    "X-Forwarded-Uri": "/time",
  };
  const requests = tokens.map((token) =>
    get(port, "/traefik", { ...asked, Authorization: `Bearer ${token}` }),
  );
  return { name, server, port, scripts: repeating(requests) };
}
