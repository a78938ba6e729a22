/** Traces as a collector gets them: requests, statements, and nothing secret. */
import { type CollectedSpan, type Collector, startCollector } from "@daykey/service/test/collector";
import { createTestLog } from "@daykey/service/test/log";
import { createTracing, type Tracing } from "@daykey/service/observe/tracing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startAuthServer, type TestAuthServer, type TestClient } from "../test/auth-server.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";

let collector: Collector;
let tracing: Tracing;
let server: TestAuthServer;
let client: TestClient;
beforeEach(async () => {
  collector = await startCollector();
  const { log } = createTestLog();
  tracing = createTracing({ endpoint: collector.url, ratio: 1, service: "auth-server", log });
  server = await startAuthServer({ tracing });
  client = await server.createClient();
});
afterEach(async () => {
  await server.stop();
  await collector.stop();
});

/** A token by the one-time form, whose nonce is written. */
async function token(headers: Record<string, string>): Promise<void> {
  const client_secret_hash = await server.oneTime(client);
  const form = { grant_type: "client_credentials", client_id: client.clientId, client_secret_hash };
  const answer = await server.token(form, headers);
  expect(answer.status).toBe(200);
}

async function spans(): Promise<CollectedSpan[]> {
  await tracing.stop();
  return collector.spans("auth-server");
}

const attributesOf = ({ attributes }: CollectedSpan) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

test("a request goes on with its caller's trace, and its statements are spans within", async () => {
  await token({ traceparent: `00-${TRACE}-${PARENT}-01` });
  const line = server.lines.find(({ msg }) => msg === "request");
  expect(line).toMatchObject({ traceId: TRACE, route: "/oauth2/token" });

  const [request, ...others] = (await spans()).toSorted((a, b) => a.kind - b.kind);
  expect(request).toMatchObject({
    traceId: TRACE,
    parentSpanId: PARENT,
    name: "POST /oauth2/token",
    kind: 2,
    status: {},
  });
  expect(request && attributesOf(request)).toEqual({
    "http.request.method": "POST",
    "http.route": "/oauth2/token",
    "http.response.status_code": 200,
    "daykey.request_id": line?.["requestId"],
  });
  expect(others.length).toBeGreaterThan(0);
  for (const statement of others) {
    expect(statement).toMatchObject({ traceId: TRACE, parentSpanId: request?.spanId, kind: 3 });
    expect(attributesOf(statement)).toEqual({ "db.system.name": "postgresql" });
    expect(BigInt(statement.startTimeUnixNano)).toBeLessThanOrEqual(
      BigInt(statement.endTimeUnixNano),
    );
  }
  for (const secret of [client.clientId, client.clientSecret, client.kid]) {
    expect(collector.text()).not.toContain(secret);
  }
});

test("a trusted caller that does not keep its trace is followed in that; the log has its id still", async () => {
  await server.stop();
  server = await startAuthServer({ tracing, config: { trustedProxies: ["127.0.0.1"] } });
  client = await server.createClient();
  // What a proxy passes on is a stranger's.
  await token({ traceparent: `00-${TRACE}-${PARENT}-00`, "x-forwarded-for": "192.0.2.1" });
  const passedOn = server.lines.length;
  await token({ traceparent: `00-${TRACE}-${PARENT}-00` });
  expect(server.lines.slice(passedOn).find(({ msg }) => msg === "request")).toMatchObject({
    traceId: TRACE,
  });
  expect((await spans()).filter(({ kind }) => kind === 2)).toHaveLength(1);
});

test("what is no trace context begins a trace of its own", async () => {
  const hostile = [
    "",
    "canary",
    `00-${TRACE}-${PARENT}-01-canary`,
    `ff-${TRACE}-${PARENT}-01`,
    `00-${"0".repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-${"1".repeat(10_000)}`,
  ];
  for (const traceparent of hostile) await token({ traceparent, tracestate: "canary" });
  const requests = (await spans()).filter(({ kind }) => kind === 2);
  expect(requests).toHaveLength(hostile.length);
  expect(new Set(requests.map(({ traceId }) => traceId)).size).toBe(hostile.length);
  for (const { traceId, parentSpanId } of requests) {
    expect(traceId).toMatch(/^[0-9a-f]{32}$/);
    expect([traceId === TRACE, parentSpanId]).toEqual([false, undefined]);
  }
  expect(collector.text()).not.toContain("canary");
});

test("probes are no spans, and a path that a stranger chose is in none", async () => {
  await fetch(`${server.url}/readyz`);
  await fetch(`${server.url}/canary?canary`, { method: "PROPFIND" });
  expect((await spans()).map(({ name }) => name)).toEqual(["_OTHER unmatched"]);
  expect(collector.text()).not.toMatch(/canary|PROPFIND/);
});
