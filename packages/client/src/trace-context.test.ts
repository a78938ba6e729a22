import { expect, test } from "vitest";
import { fetchWithTrace, type TraceContext } from "./trace-context.ts";

test("each request carries the context of its moment, and its own headers", async () => {
  const seen: Record<string, string>[] = [];
  const fetch = (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    seen.push(Object.fromEntries(new Request(input, init).headers));
    return Promise.resolve(new Response());
  };
  let context: TraceContext | undefined;
  const traced = fetchWithTrace(() => context, fetch);
  const headers = { accept: "text/plain" };
  await traced("https://api.example/", { headers });
  context = { traceparent: "00-a-b-01" };
  await traced("https://api.example/", { headers });
  context = { traceparent: "00-c-d-00", tracestate: "x=y" };
  await traced(new Request("https://api.example/", { headers }));
  expect(seen).toEqual([
    headers,
    { ...headers, traceparent: "00-a-b-01" },
    { ...headers, traceparent: "00-c-d-00", tracestate: "x=y" },
  ]);
});
