import { type AppRouter, createRouter } from "./router.ts";

/** Why this instance is not ready, in a few words without secrets; undefined when it is. */
export type HealthCheck = () => string | undefined;

export interface Health {
  addCheck(name: string, check: HealthCheck): void;
  /** What `/readyz` would say now. */
  isReady(): boolean;
  /** From now on `/readyz` answers 503 and `stopping` is aborted. */
  draining(): void;
  /** For what lives longer than a request, such as an event stream: end it on abort. */
  readonly stopping: AbortSignal;
  /** `GET /livez` (this process answers) and `GET /readyz` (send it requests). */
  readonly router: AppRouter;
}

export function createHealth(): Health {
  const checks = new Map<string, HealthCheck>();
  const stop = new AbortController();
  const router = createRouter();
  const currentFaults = (): Record<string, string> =>
    stop.signal.aborted ? { server: "stopping" } : failing(checks);

  router.get("/livez", (ctx) => {
    ctx.state.quiet = true;
    ctx.set("Cache-Control", "no-store");
    ctx.body = { status: "alive" };
  });

  router.get("/readyz", (ctx) => {
    ctx.state.quiet = true;
    ctx.set("Cache-Control", "no-store");
    const faults = currentFaults();
    const isReady = Object.keys(faults).length === 0;
    ctx.status = isReady ? 200 : 503;
    ctx.body = isReady ? { status: "ready" } : { status: "not ready", faults };
  });

  return {
    addCheck: (name, check) => void checks.set(name, check),
    isReady: () => Object.keys(currentFaults()).length === 0,
    draining: () => stop.abort(),
    stopping: stop.signal,
    router,
  };
}

function failing(checks: ReadonlyMap<string, HealthCheck>): Record<string, string> {
  const faults: Record<string, string> = {};
  for (const [name, check] of checks) {
    const fault = check();
    if (fault !== undefined) faults[name] = fault;
  }
  return faults;
}
