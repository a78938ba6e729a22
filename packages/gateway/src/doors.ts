/**
 * The doors that proxies ask at over HTTP: what each tells of the request that it holds. A door has a path
 * of its own, so that no header of one proxy is believed at another's door.
 */
import type { IncomingMessage } from "node:http";
import { linesOf } from "@daykey/guard/node";
import type { FieldLines } from "@daykey/guard/request";
import type { Asked } from "./routes.ts";

export const HTTP_DOORS = ["nginx", "traefik", "caddy", "envoy"] as const;
export type HttpDoor = (typeof HTTP_DOORS)[number];

interface Door {
  /** As a route's pattern. */
  path: string;
  /** Undefined: the proxy does not tell what is asked. */
  read(req: IncomingMessage): Asked | undefined;
}

export const DOORS: Readonly<Record<HttpDoor, Door>> = {
  // What the location of deploy/gateway/nginx.conf sets.
  nginx: {
    path: "/nginx",
    read: byHeaders("x-original-method", "x-original-host", "x-original-uri"),
  },
  // Both set these themselves, and replace what a caller sent.
  traefik: {
    path: "/traefik",
    read: byHeaders("x-forwarded-method", "x-forwarded-host", "x-forwarded-uri"),
  },
  caddy: {
    path: "/caddy",
    read: byHeaders("x-forwarded-method", "x-forwarded-host", "x-forwarded-uri"),
  },
  // It asks with the caller's own method and Host, and the path behind the door's.
  envoy: {
    path: "/envoy/{*target}",
    read: ({ method = "", url = "", headers: { host = "" } }) => ({
      method,
      host,
      target: url.slice("/envoy".length),
    }),
  },
};

function byHeaders(methodName: string, hostName: string, targetName: string): Door["read"] {
  return (req) => {
    const lines = linesOf(req);
    const [method, host, target] = [methodName, hostName, targetName].map((name) =>
      only(lines, name),
    );
    if (method === undefined || host === undefined || target === undefined) return undefined;
    return { method, host, target };
  };
}

/** A header that came once. */
function only(lines: FieldLines, name: string): string | undefined {
  const [value, ...more] = lines(name) ?? [];
  return more.length === 0 ? value : undefined;
}
