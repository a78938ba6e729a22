/**
 * Traces in OpenTelemetry's model: a span for each request, and in it one for each statement and each
 * call of another server. The context comes and goes by `traceparent` (W3C Trace Context). Without the
 * setting nothing here runs. No span holds a URL, a header or a value of a statement.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { randomBytes } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

import type { Clock } from "@daykey/common/clock";

import type { SpanExporter } from "./otlp-exporter.ts";

export type Attributes = Readonly<Record<string, string | number>>;

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  /** Of a request here, or of something asked of another. */
  readonly kind: "server" | "client";
  /** Epoch seconds. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly attributes: Attributes;
  readonly isError: boolean;
}

type Told = Pick<Span, "name" | "attributes" | "isError">;

export interface Tracing {
  /** Answers a request in a span of its own; `tell` names it afterwards, or not, and then it is not kept. */
  request(
    headers: IncomingHttpHeaders,
    answer: () => Promise<void>,
    tell: () => Told | undefined,
  ): Promise<void>;
  /** Does `work` in a span within the request's; outside of a request it is just done. */
  within<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T>;
  /** The global one, in a span, with the context in its headers. */
  readonly fetch: typeof fetch;
  /** For a log line that is written while a request is answered. */
  logFields(): { traceId?: string };
  /** Sends what is left. */
  stop(): Promise<void>;
}

interface Context {
  traceId: string;
  spanId: string;
  isSampled: boolean;
  /** The other vendors' part, passed on as it came. */
  state: string | undefined;
}

const TRACEPARENT =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const TRACESTATE = /^[\x20-\x7e]{1,512}$/;

/** @param options.ratio which part of the traces that begin here is kept; a caller's choice stands */
export function createTracing({
  clock,
  ratio,
  exporter,
}: {
  clock: Clock;
  ratio: number;
  exporter: SpanExporter;
}): Tracing {
  const current = new AsyncLocalStorage<Context>();

  async function inSpan<T>(
    context: Context,
    parentSpanId: string | undefined,
    kind: Span["kind"],
    work: () => Promise<T>,
    tell: (isFailed: boolean) => Told | undefined,
  ): Promise<T> {
    const startedAt = clock();
    const began = performance.now();
    let isFailed = true;
    try {
      const result = await current.run(context, work);
      isFailed = false;
      return result;
    } finally {
      const told = context.isSampled ? tell(isFailed) : undefined;
      // By the steady clock: the other may have been set meanwhile.
      const endedAt = startedAt + (performance.now() - began) / 1000;
      const { traceId, spanId } = context;
      if (told) exporter.add({ traceId, spanId, parentSpanId, kind, startedAt, endedAt, ...told });
    }
  }

  const within: Tracing["within"] = (name, attributes, work) => {
    const parent = current.getStore();
    if (!parent?.isSampled) return work();
    const context = { ...parent, spanId: newId(8) };
    return inSpan(context, parent.spanId, "client", work, (isError) => ({
      name,
      attributes,
      isError,
    }));
  };

  return {
    request(headers, answer, tell) {
      const parent = readContext(headers);
      const context: Context = {
        traceId: parent?.traceId ?? newId(16),
        spanId: newId(8),
        isSampled: parent?.isSampled ?? Math.random() < ratio,
        state: parent?.state,
      };
      return inSpan(context, parent?.spanId, "server", answer, tell);
    },
    within,
    fetch(input, init) {
      const { hostname } = new URL(input instanceof Request ? input.url : input);
      const method = init?.method ?? "GET";
      const attributes = { "http.request.method": method, "server.address": hostname };
      return within(method, attributes, () => {
        const headers = new Headers(init?.headers);
        const context = current.getStore();
        if (context) writeContext(headers, context);
        return fetch(input, { ...init, headers });
      });
    },
    logFields() {
      const context = current.getStore();
      return context ? { traceId: context.traceId } : {};
    },
    stop: () => exporter.stop(),
  };
}

/** Undefined without a `traceparent`, or with one that is malformed: then a trace begins here. */
function readContext({ traceparent, tracestate }: IncomingHttpHeaders): Context | undefined {
  const found = typeof traceparent === "string" ? TRACEPARENT.exec(traceparent) : null;
  const [, version, traceId = "", spanId = "", flags = "", more] = found ?? [];
  // Later versions may say more than the first, which is read as far as it is known.
  if (!found || (version === "00" && more !== undefined)) return undefined;
  const state =
    typeof tracestate === "string" && TRACESTATE.test(tracestate) ? tracestate : undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1, state };
}

function writeContext(headers: Headers, { traceId, spanId, isSampled, state }: Context): void {
  headers.set("traceparent", `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`);
  if (state !== undefined) headers.set("tracestate", state);
}

function newId(bytes: number): string {
  return randomBytes(bytes).toString("hex");
}
