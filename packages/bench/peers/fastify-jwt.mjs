/**
 * fastify with @fastify/jwt and its cache before one route, as its README shows. With LOGGING it
 * writes its line for each request, as a service in production does.
 */
import { createPublicKey } from "node:crypto";
import jwt from "@fastify/jwt";
import Fastify from "fastify";
import { timeAnswer } from "./time-answer.mjs";

const { PORT, ISSUER, AUDIENCE, ALGORITHM, LOGGING } = process.env;

const answer = await fetch(`${ISSUER}/.well-known/jwks.json`);
const { keys } = await answer.json();
const key = createPublicKey({ key: keys.find(({ alg }) => alg === ALGORITHM), format: "jwk" });

const app = Fastify({ logger: LOGGING === "on" });
app.register(jwt, {
  secret: { public: key.export({ type: "spki", format: "pem" }) },
  verify: { algorithms: [ALGORITHM], allowedIss: ISSUER, allowedAud: AUDIENCE, cache: 10_000 },
});
app.get("/livez", async () => ({ status: "alive" }));
app.get("/time", async (request, reply) => {
  const { scope } = await request.jwtVerify();
  if (!scope.split(" ").includes("time:read")) return reply.code(403).send();
  reply.header("Cache-Control", "no-store");
  return timeAnswer();
});
await app.listen({ port: Number(PORT), host: "127.0.0.1" });
