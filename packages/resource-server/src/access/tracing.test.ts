import { type Collector, startCollector } from "@daykey/service/test/collector";
import { createTestLog } from "@daykey/service/test/log";
import { createTracing, type Tracing } from "@daykey/service/observe/tracing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startResourceServer, type TestResourceServer } from "../../test/resource-server.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";

let collector: Collector;
let tracing: Tracing;
let api: TestResourceServer;
beforeAll(async () => {
  collector = await startCollector();
  const { log } = createTestLog();
  tracing = createTracing({ endpoint: collector.url, ratio: 0, service: "api", log });
  api = await startResourceServer({ tracing, config: { trustedProxies: ["127.0.0.1"] } });
});
afterAll(async () => {
  await api.stop();
  await collector.stop();
});

test("a question to the auth-server is a span within the request's, and carries the trace on", async () => {
  let asked: Record<string, unknown> = {};
  api.authServer.answerIntrospection((req, res) => {
    asked = req.headers;
    res.setHeader("Content-Type", "application/json").end('{"active":false}');
  });
  const token = "dka1.k3f9a1c2.c2VhbGVk";
  const headers = { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: "vendor=1" };
  expect((await api.request("GET /time", { token, headers })).status).toBe(401);
  await tracing.stop();
  const [call, request] = collector.spans("api");
  expect(request).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, name: "GET /time" });
  expect(call).toMatchObject({ traceId: TRACE, parentSpanId: request?.spanId, name: "POST" });
  expect(asked).toMatchObject({
    traceparent: `00-${TRACE}-${call?.spanId}-01`,
    tracestate: "vendor=1",
  });
  expect(collector.text()).not.toMatch(/c2VhbGVk|vendor/);
});
