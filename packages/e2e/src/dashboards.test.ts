/** The dashboard and the alert rules ask for nothing that the servers do not tell. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { scrapeAll } from "../test/scrape-all.ts";
import { ROOT } from "../test/stack.ts";

/** There with TLS_CERTIFICATE_FILE. */
const OF_TLS = ["tls_certificate_expires_at_seconds", "tls_files_current"];

let known: Set<string>;
beforeAll(async () => {
  const { scraped, stop } = await scrapeAll();
  await stop();
  // Prometheus makes `up` itself; the others are there with REDIS_URL, and DATABASE_URL.
  const apart = ["up", "redis_usable", "database_usable", ...OF_TLS];
  known = new Set([...apart, ...scraped.flatMap(({ names }) => names)]);
});

const WORDS = new Set(["and", "or", "unless", "bool", "offset", "inf", "nan"]);

/** The metrics that a PromQL expression names. */
function metricsOf(expression: string): string[] {
  const bare = expression
    .replaceAll(/"(?:[^"\\]|\\.)*"/g, "")
    .replaceAll(/\{[^}]*\}|\[[^\]]*\]/g, "")
    .replaceAll(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, "");
  return [...bare.matchAll(/(?<![\w.])([a-z_:][\w:]*)\b(?!\s*\()/gi)]
    .map(([, name = ""]) => name)
    .filter((name) => !WORDS.has(name));
}

async function dashboardExpressions(): Promise<string[]> {
  const text = await readFile(join(ROOT, "deploy/grafana/dashboards/daykey.json"), "utf8");
  const { panels } = JSON.parse(text) as { panels: { targets?: { expr: string }[] }[] };
  return panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
}

async function alertExpressions(): Promise<string[]> {
  const text = await readFile(join(ROOT, "deploy/prometheus/alerts.yml"), "utf8");
  return [...text.matchAll(/^ +expr: (.+)$/gm)].map(([, expr = ""]) => expr);
}

test("the reader of expressions sees every metric and nothing else", () => {
  const expression = `sum by (a, le) (rate(x_total{b="c", d=~"e|f"}[$__rate_interval])) / on (g) y > 1.5e3 or vector(0)`;
  expect(metricsOf(expression)).toEqual(["x_total", "y"]);
});

test.each([
  ["the dashboard", dashboardExpressions, 25],
  ["the alert rules", alertExpressions, 12],
])("%s names metrics that are there", async (_, read, least) => {
  const expressions = await read();
  expect(expressions.length).toBeGreaterThanOrEqual(least);
  for (const expression of expressions) {
    const metrics = metricsOf(expression);
    expect(metrics, expression).not.toEqual([]);
    expect(metrics.filter((name) => !known.has(name))).toEqual([]);
  }
});
