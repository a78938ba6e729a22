import type { Peers } from "./peers.ts";
import { type AppRouter, createRouter } from "../http/router.ts";

/** Why this process is not ready, in a few words without secrets; undefined when it is. */
export type HealthCheck = () => string | undefined;

export interface Health {
  addCheck(name: string, check: HealthCheck): void;
  /**
   * A check of something that only some requests need. `/readyz` names its fault under `degraded` and
   * stays 200, because not to be ready would take the other requests away too.
   */
  addPartCheck(name: string, check: HealthCheck): void;
  /** Whether this process is. */
  isReady(): boolean;
  /** Why it is not, in one line; undefined when it is. */
  unreadiness(): string | undefined;
  /** What ails the instance, by name: what makes it not ready, and what takes some of its parts away. */
  state(): Promise<{ faults: Faults; degraded: Faults }>;
  /** From now on `/readyz` answers 503 and `stopping` is aborted. */
  draining(): void;
  /** For what lives longer than a request, such as an event stream: end it on abort. */
  readonly stopping: AbortSignal;
  /**
   * `GET /livez` (this instance answers) and `GET /readyz` (send it requests). With several workers
   * either is true only when it is of each of them that serves.
   */
  readonly router: AppRouter;
}

type Faults = Readonly<Record<string, string>>;

interface State {
  readonly faults: Faults;
  readonly degraded: Faults;
}

const STOPPING: Faults = { server: "stopping" };

export function createHealth({ peers }: { peers?: Peers | undefined } = {}): Health {
  const checks = new Map<string, HealthCheck>();
  const partChecks = new Map<string, HealthCheck>();
  const stop = new AbortController();
  const router = createRouter();
  const ownFaults = (): Faults => (stop.signal.aborted ? STOPPING : failing(checks));
  const ownState = (): State => ({ faults: ownFaults(), degraded: failing(partChecks) });
  peers?.answer("health", ownState);

  /** The instance's health; an instance that stops has no workers to ask. */
  async function instanceState(): Promise<State & { isAlive: boolean }> {
    if (!peers) return { ...ownState(), isAlive: true };
    const told = await peers.ask("health");
    if (told.size === 0) return { faults: STOPPING, degraded: {}, isAlive: true };
    return { ...stateOfAll(told), isAlive: ![...told.values()].includes(null) };
  }

  router.get("/livez", async (ctx) => {
    ctx.state.isProbe = true;
    ctx.set("Cache-Control", "no-store");
    const { isAlive } = await instanceState();
    ctx.status = isAlive ? 200 : 503;
    ctx.body = { status: isAlive ? "alive" : "a worker does not answer" };
  });

  router.get("/readyz", async (ctx) => {
    ctx.state.isProbe = true;
    ctx.set("Cache-Control", "no-store");
    const { faults, degraded } = await instanceState();
    const isReady = Object.keys(faults).length === 0;
    ctx.status = isReady ? 200 : 503;
    ctx.body = {
      ...(isReady ? { status: "ready" } : { status: "not ready", faults }),
      ...(Object.keys(degraded).length > 0 && { degraded }),
    };
  });

  return {
    addCheck: (name, check) => void checks.set(name, check),
    addPartCheck: (name, check) => void partChecks.set(name, check),
    isReady: () => Object.keys(ownFaults()).length === 0,
    unreadiness() {
      const faults = Object.entries(ownFaults()).map(([name, fault]) => `${name}: ${fault}`);
      return faults.length === 0 ? undefined : faults.join("; ");
    },
    async state() {
      const { faults, degraded } = await instanceState();
      return { faults, degraded };
    },
    draining: () => stop.abort(),
    stopping: stop.signal,
    router,
  };
}

function failing(checks: ReadonlyMap<string, HealthCheck>): Faults {
  const faults: Record<string, string> = {};
  for (const [name, check] of checks) {
    const fault = check();
    if (fault !== undefined) faults[name] = fault;
  }
  return faults;
}

/** What ails any worker. The same fault of several is told once. */
function stateOfAll(told: ReadonlyMap<number, unknown>): State {
  const states = [...told].map(([number, state]) =>
    state === null
      ? { faults: { [`worker ${number}`]: "does not answer" }, degraded: {} }
      : (state as State),
  );
  return {
    faults: Object.assign({}, ...states.map(({ faults }) => faults)) as Faults,
    degraded: Object.assign({}, ...states.map(({ degraded }) => degraded)) as Faults,
  };
}
