/**
 * The guard of a route in Express 5: `app.get("/orders", protect(guard, "orders:read"), …)`. Who was let
 * through stands in `req.access`. Refusals are answered here; a fault of the guard goes to `next`, as any
 * error in Express. It stands before body parsers: a signature over a body is checked by its bytes.
 */
import type { ServerResponse } from "node:http";
import type { Access } from "./access.ts";
import { requireOptions } from "./check.ts";
import type { Guard } from "./guard.ts";
import {
  type NodeRequest,
  type RouteOptions,
  sendRefusal,
  setHeaders,
  toCheckRequest,
} from "./node.ts";

declare global {
  namespace Express {
    interface Request {
      /** What a caller may do that a guard has let through. */
      access?: Access;
    }
  }
}

/** What is used of Express's request. `ip` is another's only where the application trusts proxies. */
export type GuardRequest = NodeRequest & { ip?: string | undefined; access?: Access };

/** @throws {TypeError} for a scope that is none */
export function protect(
  guard: Pick<Guard, "check">,
  scope: string,
  options: RouteOptions = {},
): (req: GuardRequest, res: ServerResponse, next: (error?: unknown) => void) => Promise<void> {
  const needs = { ...options, scope };
  requireOptions(needs);
  return async (req, res, next) => {
    try {
      const result = await guard.check(toCheckRequest(req, req.ip), needs);
      if (!result.allowed) return sendRefusal(res, result);
      req.access = result.access;
      setHeaders(res, result.headers);
    } catch (error) {
      return next(error);
    }
    next();
  };
}

/** @throws {TypeError} where no guard stands before */
export function accessOf({ access }: { access?: Access }): Access {
  if (!access) throw new TypeError("accessOf: no guard has let this request through");
  return access;
}
