/**
 * Sends spans to a collector by OTLP/HTTP in JSON, in batches, in the background. While the collector
 * is away, what does not fit is dropped: traces are never worth a request.
 */
import type { Log } from "./log.ts";
import type { Attributes, Span } from "./tracing.ts";

export interface SpanExporter {
  add(span: Span): void;
  stop(): Promise<void>;
}

const BATCH = 512;
const MAX_WAITING = 2048;
const EVERY_SECONDS = 5;
const TIMEOUT_SECONDS = 5;
const LAST_TIMEOUT_SECONDS = 1;
const LOG_EVERY_SECONDS = 60;

/** @param options.endpoint the collector's, without `/v1/traces` */
export function createOtlpExporter({
  endpoint,
  service,
  log,
}: {
  endpoint: string;
  service: string;
  log: Log;
}): SpanExporter {
  const url = `${endpoint}/v1/traces`;
  let waiting: Span[] = [];
  let sending: Promise<void> | undefined;
  let loggedAt = -Infinity;

  async function send(timeoutSeconds: number): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, BATCH);
      try {
        const response = await fetch(url, {
          method: "POST",
          redirect: "error",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(toOtlp(batch, service)),
          signal: AbortSignal.timeout(timeoutSeconds * 1000),
        });
        await response.body?.cancel();
        if (!response.ok) throw new Error("the collector did not answer with success");
      } catch (error) {
        if (performance.now() / 1000 - loggedAt < LOG_EVERY_SECONDS) continue;
        loggedAt = performance.now() / 1000;
        log.warn({ event: "traces_unsent", err: error }, "cannot send traces");
      }
    }
  }

  function sendSoon(): void {
    sending ??= send(TIMEOUT_SECONDS).finally(() => (sending = undefined));
  }

  const timer = setInterval(sendSoon, EVERY_SECONDS * 1000).unref();
  return {
    add(span) {
      if (waiting.length >= MAX_WAITING) return;
      waiting.push(span);
      if (waiting.length >= BATCH) sendSoon();
    },
    async stop() {
      clearInterval(timer);
      const last = waiting.slice(0, BATCH);
      waiting = last;
      await send(LAST_TIMEOUT_SECONDS);
    },
  };
}

/** ExportTraceServiceRequest of opentelemetry-proto, as its JSON mapping has it. */
function toOtlp(spans: readonly Span[], service: string): object {
  const resource = { attributes: toAttributes({ "service.name": service }) };
  const scopeSpans = [{ scope: { name: "daykey" }, spans: spans.map(toSpan) }];
  return { resourceSpans: [{ resource, scopeSpans }] };
}

const KINDS = { server: 2, client: 3 };
const ERROR = 2;

function toSpan({ startedAt, endedAt, kind, attributes, isError, ...same }: Span): object {
  return {
    ...same,
    kind: KINDS[kind],
    startTimeUnixNano: nanoseconds(startedAt),
    endTimeUnixNano: nanoseconds(endedAt),
    attributes: toAttributes(attributes),
    status: isError ? { code: ERROR } : {},
  };
}

function toAttributes(attributes: Attributes): object[] {
  return Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === "string" ? { stringValue: value } : { intValue: String(value) },
  }));
}

function nanoseconds(at: number): string {
  return String(BigInt(Math.round(at * 1e6)) * 1000n);
}
