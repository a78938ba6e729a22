/**
 * The guard of a route in Koa: `router.get("/orders", protect(guard, "orders:read"), …)`. Who was let
 * through stands in `ctx.state.access`. Refusals are answered here; a fault of the guard is thrown, as
 * any error in Koa.
 */
import type { IncomingMessage } from "node:http";
import type { Access } from "./access.ts";
import { type CheckResult, requireOptions } from "./check.ts";
import type { Guard } from "./guard.ts";
import { type RouteOptions, toCheckRequest } from "./node.ts";
import type { Refusal } from "./refusals.ts";
import type { CheckRequest } from "./request.ts";

/** For `new Koa<GuardState>()`: what a protected route finds in `ctx.state`. */
export interface GuardState {
  access?: Access;
}

/** What is used of Koa's context. `ip` is another's only where the application trusts proxies. */
export interface GuardContext {
  readonly req: IncomingMessage;
  readonly ip: string;
  readonly state: object;
  status: number;
  body: unknown;
  set(headers: Record<string, string>): void;
}

export interface KoaOptions<C> extends RouteOptions {
  /** What is checked, in place of what the context says. */
  request?: (ctx: C) => CheckRequest;
  /** Told of each result, for the application's log. */
  told?: (ctx: C, result: CheckResult) => void;
  /** Answers a refusal, or throws what says no, in place of the answer made here. */
  refuse?: (ctx: C, refusal: Refusal) => void;
}

/** @throws {TypeError} for a scope that is none */
export function protect<C extends GuardContext>(
  guard: Pick<Guard, "check">,
  scope: string,
  { request = requestOf, told, refuse = answer, ...options }: KoaOptions<C> = {},
): (ctx: C, next: () => Promise<unknown>) => Promise<void> {
  const needs = { ...options, scope };
  requireOptions(needs);
  return async (ctx, next) => {
    const result = await guard.check(request(ctx), needs);
    told?.(ctx, result);
    if (!result.allowed) return refuse(ctx, result);
    (ctx.state as GuardState).access = result.access;
    ctx.set(result.headers);
    await next();
  };
}

/** @throws {TypeError} where no guard stands before */
export function accessOf({ state }: { state: GuardState }): Access {
  if (!state.access) throw new TypeError("accessOf: no guard has let this request through");
  return state.access;
}

function requestOf({ req, ip }: GuardContext): CheckRequest {
  return toCheckRequest(req, ip);
}

function answer(ctx: GuardContext, { status, headers, body }: Refusal): void {
  ctx.status = status;
  ctx.set(headers);
  ctx.body = JSON.stringify(body);
}
