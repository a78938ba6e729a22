/** The guard's public face: what a service may import, and no more. */
import { expect, test } from "vitest";
import * as express from "./express.ts";
import * as fastify from "./fastify.ts";
import * as fetch from "./fetch.ts";
import * as core from "./index.ts";
import * as koa from "./koa.ts";
import * as node from "./node.ts";
import * as postgres from "./postgres-store.ts";
import * as redis from "./redis-store.ts";

test("what is exported is this", () => {
  const faces = { core, express, fastify, fetch, koa, node, postgres, redis };
  const names = Object.entries(faces).map(([name, face]) => [name, Object.keys(face).toSorted()]);
  expect(Object.fromEntries(names)).toEqual({
    core: ["RequestBodyError", "createGuard", "watchCredentialFile"],
    express: ["accessOf", "protect"],
    fastify: ["accessOf", "protect"],
    fetch: ["checkRequest", "protect", "refusalResponse"],
    koa: ["accessOf", "protect"],
    node: [
      "linesOf",
      "peerCertificateOf",
      "protect",
      "sendRefusal",
      "setHeaders",
      "toCheckRequest",
    ],
    postgres: ["MIGRATIONS", "createPostgresQuotas", "createPostgresStore"],
    redis: ["createRedisStore", "redisCommands"],
  });
});
