/** Tokens a second: each way to authenticate, each algorithm, and node-oidc-provider beside them. */
import { PATHS } from "@daykey/common/protocol";
import { post } from "./connection.ts";
import type { AuthServer } from "./daykey.ts";
import { OIDC_CLIENT } from "./peers.ts";
import type { Contender } from "./rounds.ts";
import {
  basic,
  basicRequest,
  createOneTimeScripts,
  dayFormRequest,
  exchangeForm,
  repeating,
} from "./scripts.ts";
import type { ServerProcess } from "./server-process.ts";

/** More than any server here issues in a second on one core. */
const MOST_PER_SECOND = 20_000;

export async function daykeyTokens(auth: AuthServer): Promise<Contender[]> {
  const { server, algorithm } = auth;
  const { port } = server;
  const name = (method: string): string => `Daykey, ${method}, ${algorithm}`;
  const once = createOneTimeScripts(auth);
  return [
    {
      name: name("day form"),
      server,
      port,
      scripts: repeating([await dayFormRequest(auth)]),
    },
    {
      name: name("one-time form"),
      server,
      port,
      scripts: once.scripts,
      prepare: (seconds) => once.prepare(Math.ceil(seconds * MOST_PER_SECOND)),
    },
    { name: name("Basic"), server, port, scripts: repeating([basicRequest(auth)]) },
    {
      name: name("exchange, day form"),
      server,
      port,
      scripts: repeating([
        post(port, PATHS.token, await exchangeForm(auth, await treeToken(auth, 0))),
      ]),
    },
  ];
}

/** @param above how many grants stand above its own */
export async function treeToken(auth: AuthServer, above: number): Promise<string> {
  const { server, client } = auth;
  const own = basic(client.clientId, client.clientSecret);
  let token = await accessToken(server.port, PATHS.token, own, {
    grant_type: "client_credentials",
  });
  for (let left = above; left > 0; left--) {
    token = await accessToken(server.port, PATHS.token, {}, await exchangeForm(auth, token));
  }
  return token;
}

const OIDC_FORM = { grant_type: "client_credentials", scope: "time:read primes:check" };
const OIDC_BASIC = basic(OIDC_CLIENT.CLIENT_ID, OIDC_CLIENT.CLIENT_SECRET);

export function oidcTokens(server: ServerProcess, format: string): Contender {
  const { port } = server;
  const form = { ...OIDC_FORM, resource: `urn:${format}` };
  const request = post(port, "/token", form, OIDC_BASIC);
  return { name: `${server.name}, Basic, ${format}`, server, port, scripts: repeating([request]) };
}

/** Introspection of one access token by its own client. */
export async function introspections(
  auth: AuthServer,
  oidc: readonly ServerProcess[],
): Promise<Contender[]> {
  const { server, client } = auth;
  const own = basic(client.clientId, client.clientSecret);
  const token = await accessToken(server.port, PATHS.token, own, {
    grant_type: "client_credentials",
  });
  const request = post(server.port, PATHS.introspect, { token }, own);
  const daykey: Contender = {
    name: "Daykey, a JWT",
    server,
    port: server.port,
    scripts: repeating([request]),
  };
  const peers = oidc.map(async (peer) => {
    const form = { ...OIDC_FORM, resource: "urn:opaque" };
    const opaque = await accessToken(peer.port, "/token", OIDC_BASIC, form);
    const asked = post(peer.port, "/token/introspection", { token: opaque }, OIDC_BASIC);
    return {
      name: `${peer.name}, an opaque token`,
      server: peer,
      port: peer.port,
      scripts: repeating([asked]),
    };
  });
  return [daykey, ...(await Promise.all(peers))];
}

/** @throws {Error} when there is none in the answer */
export async function accessToken(
  port: number,
  path: string,
  headers: Record<string, string>,
  form: Record<string, string>,
): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    headers,
    body: new URLSearchParams(form),
  });
  const text = await answer.text();
  const { access_token } = JSON.parse(text) as { access_token?: string };
  if (access_token === undefined) throw new Error(`no access token: ${text}`);
  return access_token;
}
