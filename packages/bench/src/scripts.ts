/** What clients send: ready-made requests, one-time hashes made ahead, and refresh tokens in turn. */
import { randomBytes } from "node:crypto";
import { hashPrimitives } from "@daykey/auth-server/clients/verifiers";
import type { IssuedSecret } from "@daykey/auth-server/registration/register";
import { PATHS, TOKEN_EXCHANGE_GRANT, TOKEN_TYPES } from "@daykey/common/protocol";
import { createProofKey } from "@daykey/service/test/dpop-proofs";
import { dayFormHash, oneTimeHash } from "@daykey/common/secret-hash";
import { get, post } from "./connection.ts";
import type { AuthServer } from "./daykey.ts";
import type { Script } from "./load.ts";

/** More in flight than a server has at once, so that its core never waits. */
const CONNECTIONS = 64;

const nowSeconds = (): number => Date.now() / 1000;

/** On every connection the same requests in turn, from another one on. */
export function repeating(requests: readonly Buffer[]): Script[] {
  return Array.from({ length: CONNECTIONS }, (_, first) => {
    let at = first;
    return { next: () => requests[at++ % requests.length] as Buffer };
  });
}

export function basic(id: string, secret: string): Record<string, string> {
  return { Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}` };
}

const CLIENT_CREDENTIALS = { grant_type: "client_credentials" };

export function basicRequest({ server, client }: AuthServer): Buffer {
  const headers = basic(client.clientId, client.clientSecret);
  return post(server.port, PATHS.token, CLIENT_CREDENTIALS, headers);
}

export async function dayFormRequest({ server, client }: AuthServer): Promise<Buffer> {
  return post(server.port, PATHS.token, { ...CLIENT_CREDENTIALS, ...(await dayForm(client)) });
}

/** The parameters that exchange a token, proved by the day form. */
export async function exchangeForm(
  { actor }: Pick<AuthServer, "actor">,
  token: string,
): Promise<Record<string, string>> {
  return {
    grant_type: TOKEN_EXCHANGE_GRANT,
    subject_token: token,
    subject_token_type: TOKEN_TYPES.accessToken,
    ...(await dayForm(actor)),
  };
}

async function dayForm(client: IssuedSecret): Promise<Record<string, string>> {
  const { clientId, clientSecret, salt } = client;
  const hash = await dayFormHash(hashPrimitives, { root: clientSecret, salt }, nowSeconds());
  return { client_id: clientId, client_secret_hash: hash };
}

/** Requests that work once each: `prepare` makes as many as a turn can use. */
export function createOneTimeScripts({ server, client, issuer }: AuthServer): {
  scripts: Script[];
  prepare(count: number): Promise<void>;
} {
  const hashes: Buffer[] = [];
  const { clientId, clientSecret: root, salt, kid } = client;
  return {
    async prepare(count) {
      while (hashes.length < count) {
        const hash = await oneTimeHash(
          hashPrimitives,
          { root, salt, kid },
          { issuer, clientId, epochSeconds: nowSeconds(), nonce: randomBytes(16) },
        );
        const form = { ...CLIENT_CREDENTIALS, client_id: clientId, client_secret_hash: hash };
        hashes.push(post(server.port, PATHS.token, form));
      }
    },
    scripts: Array.from({ length: CONNECTIONS }, () => ({
      next() {
        const request = hashes.pop();
        if (request === undefined) throw new Error("too few one-time hashes were made");
        return request;
      },
    })),
  };
}

/**
 * Calls with a token that is bound to a key (RFC 9449), each with a proof of its own: `prepare` makes as many
 * as a turn can use.
 */
export async function createBoundScripts(
  { server: { port }, client, issuer }: AuthServer,
  {
    port: target,
    resource,
    algorithm,
  }: { port: number; resource: string; algorithm: "ES256" | "Ed25519" },
): Promise<{ scripts: Script[]; prepare(count: number): Promise<void> }> {
  const key = createProofKey(algorithm);
  const proof = key.proof({ uri: `${issuer}${PATHS.token}`, at: nowSeconds() });
  const answer = await fetch(`http://127.0.0.1:${port}${PATHS.token}`, {
    method: "POST",
    headers: { ...basic(client.clientId, client.clientSecret), DPoP: proof },
    body: new URLSearchParams(CLIENT_CREDENTIALS),
  });
  const { access_token: accessToken = "" } = (await answer.json()) as { access_token?: string };
  const uri = `${resource}/time`;
  return ready((at) => {
    const own = key.proof({ method: "GET", uri, accessToken, at });
    return get(target, "/time", { Authorization: `DPoP ${accessToken}`, DPoP: own });
  });
}

/** Requests that work once each. */
function ready(make: (at: number) => Buffer): {
  scripts: Script[];
  prepare(count: number): Promise<void>;
} {
  const made: Buffer[] = [];
  return {
    async prepare(count) {
      while (made.length < count) made.push(make(nowSeconds()));
    },
    scripts: Array.from({ length: CONNECTIONS }, () => ({
      next() {
        const request = made.pop();
        if (request === undefined) throw new Error("too few requests were made");
        return request;
      },
    })),
  };
}

const REFRESH_TOKEN = /"refresh_token":"([^"]+)"/;

/** Each connection opens a grant and then rotates it, again and again. */
export async function refreshScripts({ server, refresher }: AuthServer): Promise<Script[]> {
  const credential = await dayForm(refresher);
  const opening = post(server.port, PATHS.token, { ...CLIENT_CREDENTIALS, ...credential });
  const refreshing = (refresh_token: string): string =>
    post(server.port, PATHS.token, {
      grant_type: "refresh_token",
      refresh_token,
      ...credential,
    }).toString();
  return Array.from({ length: CONNECTIONS }, () => {
    let request = opening;
    // All tokens of a grant have one length, so all its requests are one text but for the token.
    let around: string[] | undefined;
    return {
      next: () => request,
      answered(body) {
        const token = REFRESH_TOKEN.exec(body)?.[1];
        if (token === undefined) throw new Error("an answer without a refresh token");
        around ??= refreshing(token).split(token);
        request = Buffer.from(around.join(token));
      },
    };
  });
}
