import { afterEach, beforeEach, expect, test } from "vitest";

import { type AppServer, startAppServer } from "../../test/app-server.ts";
import { scrape } from "../../test/metrics.ts";

let server: AppServer;
beforeEach(async () => {
  server = await startAppServer();
});
afterEach(() => server.stop());

test("probes are not requests: neither their number nor their failures are counted", async () => {
  const before = await scrape(`http://127.0.0.1:${server.privatePort}`);
  expect(before.values("http_request_errors_total")).toEqual({ "": 0 });
  for (const path of ["/livez", "/readyz"]) await fetch(`${server.url}${path}`);
  await fetch(`${server.url}/things/1`);
  const after = await scrape(`http://127.0.0.1:${server.privatePort}`);
  expect(after.values("http_request_duration_seconds_count")).toEqual({
    '{method="GET",route="/things/:id",status="200"}': 1,
  });
});

async function requestCounts(): Promise<string[]> {
  const response = await fetch(`http://127.0.0.1:${server.privatePort}/metrics`);
  const text = await response.text();
  return text
    .split("\n")
    .filter((line) => line.startsWith("http_request_duration_seconds_count"))
    .map((line) => line.replace("http_request_duration_seconds_count", ""));
}

test("requests are counted by method, route and status; what matches no route shares one label", async () => {
  await fetch(`${server.url}/things/1`);
  await fetch(`${server.url}/things/2?client_id=canary`);
  await fetch(`${server.url}/nowhere/canary`);
  await fetch(`${server.url}/things/canary`, { method: "DELETE" });
  await fetch(`${server.url}/form/canary`, { method: "PROPFIND" });
  await fetch(`${server.url}/form`, { method: "POST" });
  expect(await requestCounts()).toEqual([
    '{service="test",method="GET",route="/things/:id",status="200"} 2',
    '{service="test",method="other",route="unmatched",status="404"} 1',
    '{service="test",method="other",route="unmatched",status="405"} 1',
    '{service="test",method="other",route="unmatched",status="501"} 1',
    '{service="test",method="POST",route="/form",status="415"} 1',
  ]);
});

test("the process's own metrics are there, on the private listener alone", async () => {
  const response = await fetch(`http://127.0.0.1:${server.privatePort}/metrics`);
  expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(await response.text()).toContain('process_cpu_seconds_total{service="test"}');
  expect((await fetch(`${server.url}/metrics`)).status).toBe(404);
});
