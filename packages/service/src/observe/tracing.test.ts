/** The way to the collector; what spans hold is tested at the servers. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

import { afterEach, expect, test, vi } from "vitest";
import { startCollector } from "../../test/collector.ts";
import { createTestLog } from "../../test/log.ts";
import { createTracing, type Tracing } from "./tracing.ts";

afterEach(() => vi.unstubAllEnvs());

const request = (tracing: Tracing) =>
  tracing.request(
    {},
    () => false,
    () => Promise.resolve(),
    () => ({ name: "GET /", attributes: {}, isError: true }),
  );

test("the exporter's own variables hold: headers for the collector, which no span has", async () => {
  vi.stubEnv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20canary");
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
  vi.stubEnv("OTEL_RESOURCE_ATTRIBUTES", "a=canary");
  const collector = await startCollector();
  const { log, lines } = createTestLog();
  const tracing = createTracing({ endpoint: collector.url, ratio: 1, service: "s", log });
  await request(tracing);
  await tracing.stop();
  expect(collector.spans("s")).toMatchObject([{ name: "GET /", status: { code: 2 } }]);
  expect(collector.headers()).toMatchObject({
    authorization: "Bearer canary",
    "content-type": "application/json",
  });
  expect(collector.text()).not.toContain("canary");
  expect(lines).toEqual([]);
  await collector.stop();
});

test("what cannot be sent is said, without headers, and keeps nobody from ending", async () => {
  const collector = await startCollector();
  await collector.stop();
  for (const headers of ["", "authorization=canary%0d%0a", "canary header=1", "%zz=%zz,,="]) {
    vi.stubEnv("OTEL_EXPORTER_OTLP_HEADERS", headers);
    const { log, lines, text } = createTestLog();
    const tracing = createTracing({ endpoint: collector.url, ratio: 1, service: "s", log });
    await request(tracing);
    await tracing.stop();
    expect(lines).toMatchObject([{ event: "traces_unsent" }]);
    expect(text()).not.toContain("canary");
  }
});

test.each([
  ["nothing", ""],
  [
    "a change of protocol",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
  ],
  ["headers without end", "HTTP/1.1 200 OK\r\nA: b\r\n"],
  ["a body without end", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"],
])("a collector that answers with %s keeps nobody from ending", async (_, answer) => {
  const sockets: Socket[] = [];
  const collector = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket.on("error", () => {}));
    socket.on("data", () => socket.write(answer));
  }).listen(0, "127.0.0.1");
  await once(collector, "listening");
  const { log, lines } = createTestLog();
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  const tracing = createTracing({ endpoint, ratio: 1, service: "s", log });
  await request(tracing);
  await tracing.stop();
  expect(lines).toMatchObject([{ event: "traces_unsent" }]);
  collector.close();
  for (const socket of sockets) socket.destroy();
});

test("a tracestate goes on as far as it is one, and into no span", async () => {
  const collector = await startCollector();
  const { log } = createTestLog();
  const tracing = createTracing({ endpoint: collector.url, ratio: 1, service: "s", log });
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff";
  const long = `b=${"x".repeat(256)}`;
  const cases = [
    ["a=canary,b@c=2", "a=canary,b@c=2"],
    ["canary", ""],
    ["a=é,B=canary,=,a==b,,b=2", "b=2"],
    [`a=1,${long},c=${"y".repeat(255)}`, `a=1,${long}`],
    [`a=${"canary".repeat(10_000)}`, ""],
    [",=".repeat(50_000), ""],
  ] as const;
  for (const [tracestate, passedOn] of cases) {
    await tracing.request(
      { traceparent, tracestate },
      () => true,
      async () => void (await tracing.fetch(collector.url)),
      () => ({ name: "GET /", attributes: {}, isError: false }),
    );
    expect(collector.headers()).toMatchObject({
      traceparent: expect.stringMatching(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$/),
      tracestate: passedOn,
    });
  }
  await tracing.stop();
  expect(collector.spans("s")).toHaveLength(2 * cases.length);
  expect(collector.text()).not.toMatch(/canary|traceState/);
  await collector.stop();
});

test("a stranger does not choose whether its trace is kept; its id goes on", async () => {
  for (const [ratio, isTrusted, flags, kept] of [
    [0, false, "01", 0],
    [0, true, "01", 1],
    [1, false, "00", 1],
    [1, true, "00", 0],
  ] as const) {
    const collector = await startCollector();
    const { log } = createTestLog();
    const tracing = createTracing({ endpoint: collector.url, ratio, service: "s", log });
    const id = "4bf92f3577b34da6a3ce929d0e0e4736";
    await tracing.request(
      { traceparent: `00-${id}-00f067aa0ba902b7-${flags}` },
      () => isTrusted,
      async () => expect(tracing.logFields()).toEqual({ traceId: id }),
      () => ({ name: "GET /", attributes: {}, isError: false }),
    );
    await tracing.stop();
    expect(collector.spans("s")).toHaveLength(kept);
    await collector.stop();
  }
});
