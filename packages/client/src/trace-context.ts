/** Trace context (W3C) for whoever has traces: this library makes none, it passes on what it is given. */
import { type Fetch, platformWith } from "./platform.ts";

/** Trace context of the request that a program is working on; undefined while there is none. */
export interface TraceContext {
  traceparent: string;
  tracestate?: string | undefined;
}

/**
 * A `fetch` that adds the context's headers to each request, for the `fetch` option of a token source or
 * `authorizedFetch`; both servers go on with the trace.
 *
 * @param current asked for each request
 * @param fetch the runtime's by default
 */
export function fetchWithTrace(current: () => TraceContext | undefined, fetch?: Fetch): Fetch {
  const platform = platformWith(fetch && { fetch });
  return (input, init) => {
    const context = current();
    if (!context) return platform.fetch(input, init);
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : {}));
    headers.set("traceparent", context.traceparent);
    if (context.tracestate !== undefined) headers.set("tracestate", context.tracestate);
    return platform.fetch(input, { ...init, headers });
  };
}
