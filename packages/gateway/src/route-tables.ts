/**
 * The routes that are in force, and a guard for each of their resources. A file that cannot be used leaves
 * everything as it is.
 */
import type { Guard } from "@daykey/guard/guard";
import type { Log } from "@daykey/service/observe/log";
import type { RouteTable } from "./check.ts";
import { createFindRoute, resourcesOf, type Routes } from "./routes.ts";
import { FileError } from "./yaml-file.ts";

export interface RouteTables {
  table(): RouteTable;
  /** False from a reload that failed to the next that did not. */
  isCurrent(): boolean;
  /** Takes the file as it is now; says in the log what came of it. */
  reload(): Promise<void>;
  /** What is missing to be ready, of any guard. */
  health(): ReturnType<Guard["health"]>;
  /** The greatest age among the guards' feeds; undefined without feeds. */
  feedAgeSeconds(): number | undefined;
  revocationsKnown(): number;
  close(): Promise<void>;
}

/** How long a reload waits for the guard of a resource that is new. */
const READY_SECONDS = 10;

/**
 * @param read the file's routes now
 * @throws what `read` throws the first time
 */
export function createRouteTables({
  read,
  guardOf,
  log,
}: {
  read: () => Routes;
  guardOf: (resource: string) => Guard;
  log: Log;
}): RouteTables {
  let guards: ReadonlyMap<string, Guard> = new Map();
  let current: RouteTable;
  let isCurrent = true;
  let reloading = Promise.resolve();

  /** @param made those of resources that have none yet; all that were made, also when one cannot be */
  function makeGuards(routes: Routes, made: Map<string, Guard>): void {
    for (const { resource } of routes.values()) {
      if (!guards.has(resource) && !made.has(resource)) made.set(resource, guardOf(resource));
    }
  }

  /** @returns the guards that are not needed any more */
  function putInForce(routes: Routes, made: ReadonlyMap<string, Guard>): Guard[] {
    const find = createFindRoute(routes);
    const named = new Set(Array.from(routes.values(), ({ resource }) => resource));
    const all = [...guards, ...made];
    guards = new Map(all.filter(([resource]) => named.has(resource)));
    current = { find, resources: resourcesOf(routes), guards };
    return all.flatMap(([resource, guard]) => (named.has(resource) ? [] : [guard]));
  }

  /** Until the new routes are in force, all that is asked and said is about those before. */
  async function load(): Promise<void> {
    const made = new Map<string, Guard>();
    try {
      const routes = read();
      makeGuards(routes, made);
      const signal = AbortSignal.timeout(READY_SECONDS * 1000);
      await Promise.all(Array.from(made.values(), (guard) => guard.ready({ signal })));
      const left = putInForce(routes, made);
      isCurrent = true;
      log.info({ event: "routes_reloaded" }, "the routes file is in force");
      await Promise.all(left.map((guard) => guard.close()));
    } catch (error) {
      isCurrent = false;
      const faults = error instanceof FileError ? error.faults : undefined;
      log.error(
        { event: "routes_unusable", faults, err: error },
        "the routes before stay in force",
      );
      await Promise.all(Array.from(made.values(), (guard) => guard.close()));
    }
  }

  const first = read();
  const firstGuards = new Map<string, Guard>();
  makeGuards(first, firstGuards);
  putInForce(first, firstGuards);
  const feeds = () => [...guards.values()].flatMap(({ revocations }) => revocations ?? []);
  return {
    table: () => current,
    isCurrent: () => isCurrent,
    // One after another: each takes the file as it is then.
    reload: () => (reloading = reloading.then(load)),
    health() {
      const found: ReturnType<Guard["health"]> = {};
      for (const guard of guards.values()) Object.assign(found, guard.health());
      return found;
    },
    feedAgeSeconds() {
      const ages = feeds().map(({ ageSeconds }) => ageSeconds());
      return ages.length > 0 ? Math.max(...ages) : undefined;
    },
    revocationsKnown: () => Math.max(0, ...feeds().map(({ size }) => size())),
    async close() {
      await reloading;
      await Promise.all(Array.from(guards.values(), (guard) => guard.close()));
    },
  };
}
