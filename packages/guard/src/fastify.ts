/**
 * The guard of a route in Fastify 5: `app.get("/orders", { onRequest: protect(guard, "orders:read") }, …)`.
 * Who was let through stands in `request.access`. Refusals are answered by `reply`; a fault of the guard is
 * thrown, as any error in Fastify. As `onRequest` it stands before any body is parsed.
 */
import type { FastifyRequest } from "fastify";
import type { Access } from "./access.ts";
import { requireOptions } from "./check.ts";
import type { Guard } from "./guard.ts";
import { type NodeRequest, type RouteOptions, toCheckRequest } from "./node.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** What a caller may do that a guard has let through. */
    access?: Access;
  }
}

/** What is used of Fastify's request. `ip` is another's only where the application trusts proxies. */
export interface GuardRequest extends Pick<FastifyRequest, "originalUrl" | "ip" | "access"> {
  readonly raw: NodeRequest;
}

/** What is used of its reply. */
export interface GuardReply {
  code(status: number): unknown;
  headers(fields: Record<string, string>): unknown;
  send(payload: string): unknown;
}

/** @throws {TypeError} for a scope that is none */
export function protect(
  guard: Pick<Guard, "check">,
  scope: string,
  options: RouteOptions = {},
): (request: GuardRequest, reply: GuardReply) => Promise<unknown> {
  const needs = { ...options, scope };
  requireOptions(needs);
  return async (request, reply) => {
    const { raw, originalUrl, ip } = request;
    const result = await guard.check({ ...toCheckRequest(raw, ip), url: originalUrl }, needs);
    reply.headers(result.headers);
    if (result.allowed) {
      request.access = result.access;
      return undefined;
    }
    reply.code(result.status);
    reply.send(JSON.stringify(result.body));
    // Fastify runs nothing after this, since the reply was sent.
    return reply;
  };
}

/** @throws {TypeError} where no guard stands before */
export function accessOf({ access }: Pick<GuardRequest, "access">): Access {
  if (!access) throw new TypeError("accessOf: no guard has let this request through");
  return access;
}
