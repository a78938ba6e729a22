/** Which windows a request is counted in: those of its client and of its key, in general and by scope. */
import { type Quota, QUOTA_WINDOWS } from "@daykey/common/quota";
import type { Access } from "../access.ts";

export interface Window {
  /** The counter's name, the same at every instance. It says whose it is and how long it lasts. */
  counter: string;
  /** The policy's name for the caller. */
  policy: string;
  /** Requests that are admitted. */
  limit: number;
  /** The window's length. It begins at a whole multiple of this since 1970: a day is a day of UTC. */
  seconds: number;
}

/** A limit of the route's own, for each credential; routes that name it alike share it. */
export interface RouteQuota {
  name: string;
  quota: Quota;
}

const NONE: readonly Window[] = [];

/** @param scope what the route needs */
export function windowsOf(
  { quotas, clientId, credential }: Access,
  scope: string,
  route?: RouteQuota,
): readonly Window[] {
  const { client, key } = quotas;
  if (client.length === 0 && key.length === 0 && !route) return NONE;
  const routes = route
    ? windows([route.quota], scope, {
        counter: `{${clientId}} ${route.name}:${credential} `,
        policy: `${route.name} `,
      })
    : NONE;
  return [
    ...routes,
    ...windows(client, scope, { counter: `{${clientId}} `, policy: "" }),
    ...windows(key, scope, { counter: `{${clientId}} key:${credential} `, policy: "key " }),
  ];
}

/** All counters of a client have its id in braces, by which a cluster of Redis keeps them together. */
function windows(
  quotas: readonly Quota[],
  scope: string,
  prefix: Pick<Window, "counter" | "policy">,
): Window[] {
  return quotas
    .filter((quota) => quota.scope === undefined || quota.scope === scope)
    .map(({ limit, window, scope: only }) => {
      const name = only === undefined ? window : `${window} ${only}`;
      return {
        counter: prefix.counter + name,
        policy: prefix.policy + name,
        limit,
        seconds: QUOTA_WINDOWS[window],
      };
    });
}
