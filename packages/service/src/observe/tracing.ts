/**
 * Traces by OpenTelemetry's SDK: a span for each request, and in it one for each statement and each
 * call of another server, made where those are made. The context comes and goes by `traceparent` (W3C
 * Trace Context). No span holds a URL, a header or a value of a statement. Loaded only with the setting.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { IncomingHttpHeaders } from "node:http";

import { onceIn } from "@daykey/common/once-in";
import { withDeadline } from "@daykey/common/deadline";
import {
  type Context,
  createContextKey,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type TraceState,
} from "@opentelemetry/api";
import { setGlobalErrorHandler, W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";

import type { Log } from "./log.ts";

export type Attributes = Readonly<Record<string, string | number>>;

interface Told {
  name: string;
  attributes: Attributes;
  isError: boolean;
}

export interface Tracing {
  /**
   * Answers a request in a span of its own; `tell` names it afterwards, or not, and then it is not kept.
   * @param isTrusted asked of a caller that has a trace: may it choose whether its trace is kept?
   */
  request(
    headers: IncomingHttpHeaders,
    isTrusted: () => boolean,
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

const LAST_SECONDS = 1;
const LOG_EVERY_SECONDS = 60;

/**
 * Nothing of it is registered as OpenTelemetry's global but the handler of failures to send.
 * @param options.endpoint the collector's, without `/v1/traces`
 * @param options.ratio which part of the traces is kept that begin here or come from strangers
 */
export function createTracing({
  endpoint,
  ratio,
  service,
  log,
}: {
  endpoint: string;
  ratio: number;
  service: string;
  log: Log;
}): Tracing {
  const current = new AsyncLocalStorage<Context>();
  const active = (): Context => current.getStore() ?? ROOT_CONTEXT;
  const exporter = new OTLPTraceExporter({ url: `${endpoint}/v1/traces` });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": service }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
  const tracer = provider.getTracer("daykey");
  const unsent = createUnsentLog(log);
  setGlobalErrorHandler(unsent);

  async function inSpan<T>(
    span: Span,
    parent: Context,
    work: () => Promise<T>,
    tell: (isFailed: boolean) => Told | undefined,
  ): Promise<T> {
    let isFailed = true;
    try {
      const result = await current.run(trace.setSpan(parent, span), work);
      isFailed = false;
      return result;
    } finally {
      const told = span.isRecording() ? tell(isFailed) : undefined;
      // A span that does not end is never sent. The timer that sends is to be in no request's context.
      if (told) current.run(ROOT_CONTEXT, () => end(span, told));
    }
  }

  const within: Tracing["within"] = (name, attributes, work) => {
    const parent = active();
    if (trace.getSpan(parent)?.isRecording() !== true) return work();
    const span = tracer.startSpan(name, { kind: SpanKind.CLIENT }, parent);
    return inSpan(span, parent, work, (isError) => ({ name, attributes, isError }));
  };

  return {
    request(headers, isTrusted, answer, tell) {
      const parent = readContext(headers, (flags) => (isTrusted() ? flags : ownFlags(ratio)));
      const span = tracer.startSpan("request", { kind: SpanKind.SERVER }, parent);
      return inSpan(span, parent, answer, tell);
    },
    within,
    fetch(input, init) {
      const { hostname } = new URL(input instanceof Request ? input.url : input);
      const method = init?.method ?? "GET";
      const attributes = { "http.request.method": method, "server.address": hostname };
      return within(method, attributes, () => {
        const headers = new Headers(init?.headers);
        writeContext(headers, active());
        return fetch(input, { ...init, headers });
      });
    },
    logFields() {
      const context = trace.getSpanContext(active());
      return context ? { traceId: context.traceId } : {};
    },
    async stop() {
      await withDeadline(() => provider.shutdown(), { seconds: LAST_SECONDS }).catch(unsent);
    },
  };
}

function end(span: Span, { name, attributes, isError }: Told): void {
  span.updateName(name).setAttributes(attributes);
  if (isError) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

const propagator = new W3CTraceContextPropagator();

/** The other vendors' part, passed on as it came; in a span context it would go to the collector too. */
const STATE = createContextKey("tracestate");

/** Drawn, not made from the trace's id, which a stranger chooses. */
function ownFlags(ratio: number): number {
  return Math.random() < ratio ? TraceFlags.SAMPLED : TraceFlags.NONE;
}

/** The root without a `traceparent`, or with one that is malformed: then a trace begins here. */
function readContext(headers: IncomingHttpHeaders, flagsOf: (flags: number) => number): Context {
  const context = propagator.extract(ROOT_CONTEXT, headers, {
    get: (from: IncomingHttpHeaders, name) => from[name],
    keys: Object.keys,
  });
  const found = trace.getSpanContext(context);
  if (!found) return ROOT_CONTEXT;
  const { traceState, ...parent } = found;
  parent.traceFlags = flagsOf(parent.traceFlags);
  return trace.setSpanContext(ROOT_CONTEXT, parent).setValue(STATE, traceState);
}

function writeContext(headers: Headers, context: Context): void {
  const span = trace.getSpanContext(context);
  if (!span) return;
  const traceState = context.getValue(STATE) as TraceState | undefined;
  const carried = traceState ? { ...span, traceState } : span;
  propagator.inject(trace.setSpanContext(context, carried), headers, {
    set: (to: Headers, name, value) => to.set(name, value),
  });
}

/** While the collector is away this would be said every few seconds. */
function createUnsentLog(log: Log): (error: unknown) => void {
  const isLogDue = onceIn(LOG_EVERY_SECONDS, () => performance.now() / 1000);
  return (error) => {
    if (!isLogDue()) return;
    log.warn({ event: "traces_unsent", err: error }, "cannot send traces");
  };
}
