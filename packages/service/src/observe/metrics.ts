import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

import type { Peers } from "../process/peers.ts";
import { type AppContext, type AppRouter, createRouter } from "../http/router.ts";

/** What a request came to. */
export interface RequestOutcome {
  /** The route's pattern. */
  readonly route: string;
  readonly status: number;
  /** What its log line says: reason codes and what is known of the client. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Labels must have few values: a route's pattern or a reason code, never a client id. */
export interface Metrics {
  readonly registry: Registry;
  /** `GET /metrics`, for a private listener. */
  readonly router: AppRouter;
  /** Counts a request whose answer is ready. */
  observe(ctx: AppContext, answered: { route: string; seconds: number }): void;
  /**
   * `from` names series that are there from the start, at 0: of a series that is born at 1 Prometheus
   * sees no increase, so an alert that reads it misses the first event.
   * @returns what counts one, given a value for each label
   */
  counter<L extends string>(
    metric: Description & { labels: readonly L[]; from?: readonly Record<L, string>[] },
  ): Count<L>;
  /** Its value is read at each scrape; one for each value of `label`, when there is one. */
  gauge(metric: Description & { label?: string; read: () => number | Values }): void;
  /** A histogram of seconds. @returns what adds one duration */
  histogram(metric: Description & { buckets: number[] }): (seconds: number) => void;
  /** Is told of each request once its answer is ready: counting stands apart from what is counted. */
  onRequest(tell: (outcome: RequestOutcome) => void): void;
}

interface Description {
  readonly name: string;
  readonly help: string;
}

type Count<L extends string> = (labels: Record<L, string>) => void;
type Values = Readonly<Record<string, number>>;

/**
 * Metrics of one process: its own, and the duration of every request but probes by method, route and status. One
 * of several workers tells those of all, each with the worker's number, so that a counter that begins
 * anew is seen to do so.
 */
export function createMetrics({
  name,
  peers,
}: {
  name: string;
  peers?: Peers | undefined;
}): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service: name, ...(peers && { worker: peers.number }) });
  peers?.answer("metrics", () => registry.metrics());
  collectDefaultMetrics({ register: registry });
  const duration = new Histogram({
    name: "http_request_duration_seconds",
    help: "Time from the request's headers to its answer",
    labelNames: ["method", "route", "status"],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  const errors = new Counter({
    name: "http_request_errors_total",
    help: "Requests that were answered with 5xx",
    registers: [registry],
  });
  const observers: ((outcome: RequestOutcome) => void)[] = [];

  const router = createRouter();
  router.get("/metrics", async (ctx) => {
    ctx.state.isProbe = true;
    ctx.set("Content-Type", registry.contentType);
    ctx.set("Cache-Control", "no-store");
    const told = await peers?.ask("metrics");
    const texts = [...(told?.values() ?? [])].filter((text) => typeof text === "string");
    ctx.body = texts.length > 0 ? merge(texts) : await registry.metrics();
  });

  return {
    registry,
    router,
    counter({ labels, from = [], ...description }) {
      const counter = new Counter({ ...description, labelNames: labels, registers: [registry] });
      for (const values of from) counter.inc(values, 0);
      return (values) => counter.inc(values);
    },
    gauge({ label, read, ...description }) {
      // oxlint-disable-next-line no-new -- the registry holds it
      new Gauge({
        ...description,
        labelNames: label === undefined ? [] : [label],
        registers: [registry],
        collect() {
          const values = read();
          if (typeof values === "number") return this.set(values);
          this.reset();
          for (const [of, value] of Object.entries(values)) this.set({ [label ?? ""]: of }, value);
        },
      });
    },
    histogram(description) {
      const histogram = new Histogram({ ...description, registers: [registry] });
      return (seconds) => histogram.observe(seconds);
    },
    onRequest: (tell) => void observers.push(tell),
    observe(ctx, { route, seconds }) {
      // A proxy asks every second: counted, it would hide how slow and how faulty the others are.
      if (ctx.state.isProbe === true) return;
      // The method of an unmatched request is whatever a stranger chose.
      const method = route === "unmatched" ? "other" : ctx.method;
      const { status } = ctx;
      duration.observe({ method, route, status }, seconds);
      if (status >= 500) errors.inc();
      for (const tell of observers) tell({ route, status, fields: ctx.state.logFields });
    },
  };
}

/** Several texts of the exposition format as one: each metric once, with the values of all. */
function merge(texts: readonly string[]): string {
  const values = new Map<string, string[]>();
  for (const metric of texts.flatMap((text) => text.trimEnd().split("\n\n"))) {
    const [head, rest] = splitHead(metric);
    values.set(head, [...(values.get(head) ?? []), ...rest]);
  }
  return Array.from(values, ([head, lines]) => `${[head, ...lines].join("\n")}\n`).join("\n");
}

/** HELP and TYPE, and the values. */
function splitHead(metric: string): [head: string, values: string[]] {
  const [help, type, ...values] = metric.split("\n");
  return [`${help}\n${type}`, values];
}
