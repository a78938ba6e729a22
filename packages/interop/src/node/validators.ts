/** Libraries that check access tokens in a resource server. */
import { createPublicKey, type JsonWebKey } from "node:crypto";
import type { AddressInfo } from "node:net";
import fastifyJwt from "@fastify/jwt";
import { JwtVerifier } from "aws-jwt-verify";
import express, { type ErrorRequestHandler, type Express } from "express";
import { auth } from "express-oauth2-jwt-bearer";
import Fastify from "fastify";
import buildGetJwks from "get-jwks";
import { createRemoteJWKSet, jwtVerify } from "jose";
import type { Validate, ValidatorAttempt } from "../attempt.ts";
import { TOKEN_ALGORITHMS } from "../world.ts";

type Open = ValidatorAttempt["open"];

const jose: Open = async ({ issuer, jwks_uri, audience }) => {
  const keys = createRemoteJWKSet(new URL(jwks_uri));
  return {
    validate: async (token) => jwtVerify(token, keys, { issuer, audience, typ: "at+jwt" }),
  };
};

const expressBearer: Open = async ({ issuer, audience }) => {
  const app = express();
  // The library finds keys and algorithms by discovery.
  app.use(auth({ issuerBaseURL: issuer, audience, strict: true }));
  app.get("/", (_request, response) => void response.send("ok"));
  // Without this, Express prints each refusal.
  app.use(((error: { status?: number; message: string }, _request, response, _next) => {
    response.status(error.status ?? 500).send(error.message);
  }) satisfies ErrorRequestHandler);
  return listen(app);
};

async function listen(app: Express): Promise<{ validate: Validate; close: () => Promise<void> }> {
  const server = app.listen(0, "127.0.0.1");
  await new Promise((resolve) => void server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    async validate(token) {
      const headers = { authorization: `Bearer ${token}` };
      const response = await fetch(`http://127.0.0.1:${port}/`, { headers });
      const text = await response.text();
      if (!response.ok) throw new Error(`${response.status} ${text}`);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Header {
  kid: string;
  alg: string;
}

/** By get-jwks, as that library's README shows. */
const fastifyBearer: Open = async ({ issuer, audience }) => {
  const keys = buildGetJwks({ issuersWhitelist: [issuer] });
  return fastifyWith({ issuer, audience }, (header) =>
    keys.getPublicKey({ domain: issuer, ...header }),
  );
};

// recipe: @fastify/jwt with Ed25519

/** get-jwks makes no PEM of an Ed25519 key; Node does. */
function publicKeyFinder(jwksUri: string): (header: { kid: string }) => Promise<string> {
  return async ({ kid }) => {
    const answer = await fetch(jwksUri);
    const { keys } = (await answer.json()) as { keys: (JsonWebKey & { kid: string })[] };
    const jwk = keys.find((key) => key.kid === kid);
    if (!jwk) throw new Error("unknown key");
    return createPublicKey({ key: jwk, format: "jwk" })
      .export({ type: "spki", format: "pem" })
      .toString();
  };
}

// end of recipe

const fastifyByNode: Open = async ({ issuer, jwks_uri, audience }) =>
  fastifyWith({ issuer, audience }, publicKeyFinder(jwks_uri));

async function fastifyWith(
  { issuer, audience }: { issuer: string; audience: string },
  find: (header: Header) => Promise<string>,
): Promise<{ validate: Validate; close: () => Promise<unknown> }> {
  const app = Fastify();
  await app.register(fastifyJwt, {
    decode: { complete: true },
    verify: { allowedIss: issuer, allowedAud: audience, checkTyp: "at+jwt" },
    secret: async (_request: unknown, token: unknown) => find((token as { header: Header }).header),
  });
  app.get("/", (request) => request.jwtVerify());
  return {
    async validate(token) {
      const headers = { authorization: `Bearer ${token}` };
      const response = await app.inject({ url: "/", headers });
      if (response.statusCode !== 200) throw new Error(response.body);
    },
    close: () => app.close(),
  };
}

const aws: Open = async ({ issuer, jwks_uri, audience }) => {
  const verifier = JwtVerifier.create({ issuer, audience, jwksUri: jwks_uri });
  // The library itself fetches keys over HTTPS alone; loopback is plain HTTP.
  const keys = (await (await fetch(jwks_uri)).json()) as Parameters<typeof verifier.cacheJwks>[0];
  verifier.cacheJwks(keys);
  return { validate: async (token) => verifier.verify(token) };
};

const LIBRARIES: readonly { library: string; from: string; open: Open }[] = [
  { library: "jose", from: "jose", open: jose },
  { library: "express-oauth2-jwt-bearer", from: "express-oauth2-jwt-bearer", open: expressBearer },
  { library: "@fastify/jwt", from: "@fastify/jwt", open: fastifyBearer },
  { library: "aws-jwt-verify", from: "aws-jwt-verify", open: aws },
];

export const validators: readonly ValidatorAttempt[] = [
  ...LIBRARIES.flatMap((library) => TOKEN_ALGORITHMS.map((check) => ({ ...library, check }))).map(
    (attempt) =>
      attempt.library === "@fastify/jwt" && attempt.check === "EdDSA"
        ? { ...attempt, limit: /Unsupported key type/ }
        : attempt,
  ),
  {
    library: "@fastify/jwt",
    from: "@fastify/jwt",
    check: "EdDSA",
    setting: "the public key as PEM, made by Node in place of get-jwks",
    open: fastifyByNode,
  },
];
