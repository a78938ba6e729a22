/** The same few routes in each framework, behind the guard, on a port of their own. */
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { serve as serveFetch } from "@hono/node-server";
import express from "express";
import { fastify } from "fastify";
import { Hono } from "hono";
import Koa from "koa";
import type { Access } from "../src/access.ts";
import type { CheckOptions } from "../src/check.ts";
import * as ofExpress from "../src/express.ts";
import * as ofFastify from "../src/fastify.ts";
import * as ofFetch from "../src/fetch.ts";
import type { Guard } from "../src/guard.ts";
import * as ofKoa from "../src/koa.ts";
import * as ofNode from "../src/node.ts";

export interface Service {
  url: string;
  port: number;
  stop(): Promise<void>;
}

/** What each path needs; whatever the method, the answer is what was let through. */
const ROUTES: Record<string, CheckOptions> = {
  "/orders": { scope: "time:read" },
  "//orders": { scope: "time:read" },
  "/other": { scope: "other:write" },
  "/some": { scope: "time:read", only: ["nobody"] },
  "/twice": { scope: "time:read", quota: { name: "twice", quota: { limit: 2, window: "day" } } },
};

type Serve = (guard: Pick<Guard, "check">) => Promise<Service>;

function answerOf(access: Access, body: string): object {
  const { via, clientId, subject, actors, scope, revocation, ext } = access;
  return { via, clientId, subject, actors, scope, revocation, body, ...(ext && { ext }) };
}

async function listen(listener: RequestListener): Promise<Service> {
  return serviceOf(createServer(listener).listen(0, "127.0.0.1"));
}

async function serviceOf(server: Server): Promise<Service> {
  if (!server.listening) await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    async stop() {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, "close");
    },
  };
}

const pathOf = (target = ""): string => target.split("?")[0] ?? "";

export const FRAMEWORKS: Record<string, Serve> = {
  node(guard) {
    const routes = new Map(
      Object.entries(ROUTES).map(([path, { scope, ...options }]) => [
        path,
        ofNode.protect(
          guard,
          scope,
          async (req, res, access) => {
            res.setHeader("Content-Type", "application/json");
            res.end(JSON.stringify(answerOf(access, await text(req))));
          },
          options,
        ),
      ]),
    );
    return listen((req, res) => {
      const route = routes.get(pathOf(req.url));
      if (route) void route(req, res);
      else res.writeHead(404).end();
    });
  },

  koa(guard) {
    const app = new Koa<ofKoa.GuardState>();
    app.silent = true;
    for (const [path, { scope, ...options }] of Object.entries(ROUTES)) {
      const guarded = ofKoa.protect(guard, scope, options);
      app.use((ctx, next) => {
        if (pathOf(ctx.req.url) !== path) return next();
        return guarded(ctx, async () => {
          ctx.body = answerOf(ofKoa.accessOf(ctx), await text(ctx.req));
        });
      });
    }
    return listen((req, res) => void app.callback()(req, res));
  },

  express(guard) {
    const app = express();
    for (const [path, { scope, ...options }] of Object.entries(ROUTES)) {
      // Mounted, so that Express itself takes the path away from `req.url`.
      app.use(
        path,
        ofExpress.protect(guard, scope, options),
        express.text({ type: () => true, limit: "1mb" }),
      );
      app.use(path, (req, res) => {
        const body: unknown = req.body;
        res.json(answerOf(ofExpress.accessOf(req), typeof body === "string" ? body : ""));
      });
    }
    return listen((req, res) => void app(req, res));
  },

  async fastify(guard) {
    const app = fastify();
    app.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) =>
      done(null, body),
    );
    for (const [url, { scope, ...options }] of Object.entries(ROUTES)) {
      app.all(
        url,
        { onRequest: ofFastify.protect(guard, scope, options) },
        async (request, reply) => {
          const { body } = request;
          return reply.send(
            answerOf(ofFastify.accessOf(request), typeof body === "string" ? body : ""),
          );
        },
      );
    }
    await app.listen({ port: 0, host: "127.0.0.1" });
    return serviceOf(app.server);
  },

  fetch(guard) {
    const app = new Hono();
    const routes = new Map(
      Object.entries(ROUTES).map(([path, { scope, ...options }]) => [
        path,
        ofFetch.protect(
          guard,
          scope,
          async (request, access) => Response.json(answerOf(access, await request.text())),
          options,
        ),
      ]),
    );
    app.all("*", (c) => {
      const route = routes.get(pathOf(c.req.raw.url.replace(/^https?:\/\/[^/]*/, "")));
      return route ? route(c.req.raw) : c.notFound();
    });
    const server = serveFetch({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" });
    return serviceOf(server as Server);
  },
};
