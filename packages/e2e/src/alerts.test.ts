/**
 * The alert rules of deploy/prometheus in Prometheus's own test bench: each fires on what it is for and
 * keeps silent beside it. What they read is there, from the start; what they say leads on.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { machineTool } from "@daykey/service/test/machine-tool";
import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { anchorsOf, readDocument } from "../test/documents.ts";
import { scrapeAll } from "../test/scrape-all.ts";
import { ROOT } from "../test/stack.ts";

interface Rule {
  alert: string;
  expr: string;
  for?: string;
  annotations: { summary: string; action: string; docs: string };
}

const FILE = join(ROOT, "deploy/prometheus/alerts.yml");
const { groups } = parse(readFileSync(FILE, "utf8")) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const promtool = machineTool("promtool", "prometheus");

/** What is scraped every 15 s, in promtool's notation: `0+1x9` goes from 0 to 9. */
type Series = Readonly<Record<string, string>>;

const ready = (...services: string[]): Series =>
  Object.fromEntries(
    services.map((name, i) => [`instance_ready{service="${name}",instance="i${i}"}`, "1x200"]),
  );
const TWO_OF_EACH = ready("auth-server", "auth-server", "resource-server", "resource-server");
const requests = (counts: string, errors: string): Series => ({
  'http_request_duration_seconds_count{service="auth-server",route="/oauth2/token",status="200"}':
    counts,
  'http_request_errors_total{service="auth-server"}': errors,
});
const slow = (fast: string, all: string, route = "/time"): Series => ({
  [`http_request_duration_seconds_bucket{service="s",route="${route}",le="0.25"}`]: fast,
  [`http_request_duration_seconds_bucket{service="s",route="${route}",le="1"}`]: all,
  [`http_request_duration_seconds_bucket{service="s",route="${route}",le="+Inf"}`]: all,
});
const late = (soon: string, all: string): Series => ({
  'revocation_lag_seconds_bucket{instance="i",le="1"}': soon,
  'revocation_lag_seconds_bucket{instance="i",le="5"}': all,
  'revocation_lag_seconds_bucket{instance="i",le="+Inf"}': all,
});
const started = (values: string): Series => ({
  'process_start_time_seconds{service="auth-server",instance="i"}': values,
});
const failed = (values: string): Series => ({
  'client_authentications_total{method="none",result="unknown_client"}': values,
});
const assertions = (...results: string[]): Series =>
  Object.fromEntries(
    results.map((of) => [`workload_assertions_total{issuer="ci",${of}}`, "0+1x200"]),
  );
const one = (name: string, values: string): Series => ({ [name]: values });

/** For each alert: when it fires, and what is like it and no reason to. */
const CASES: Record<string, { fires: Series[]; silent: Series[] }> = {
  DaykeyNoAuthServer: {
    fires: [
      ready("resource-server"),
      one('instance_ready{service="auth-server",instance="i"}', "0x200"),
      // The last one went, and its series with it.
      one('instance_ready{service="auth-server",instance="i"}', "1x20"),
    ],
    silent: [
      ready("auth-server"),
      { ...TWO_OF_EACH, 'instance_ready{service="auth-server",instance="i9"}': "0x200" },
    ],
  },
  DaykeyNoResourceServer: {
    fires: [
      ready("auth-server"),
      one('instance_ready{service="resource-server",instance="i"}', "0x200"),
      one('instance_ready{service="resource-server",instance="i"}', "1x20"),
    ],
    silent: [ready("resource-server")],
  },
  DaykeyLastInstance: {
    fires: [
      ready("auth-server", "resource-server", "resource-server"),
      { ...ready("auth-server"), 'instance_ready{service="auth-server",instance="i9"}': "0x200" },
      // Two workers of one instance.
      {
        'instance_ready{service="auth-server",instance="i",worker="1"}': "1x200",
        'instance_ready{service="auth-server",instance="i",worker="2"}': "1x200",
      },
    ],
    silent: [TWO_OF_EACH],
  },
  DaykeyUnreached: {
    fires: [
      one('up{job="auth-server",instance="i"}', "1x20 0x180"),
      one('up{job="daykey/resource-server",instance="i"}', "0x200"),
    ],
    silent: [
      one('up{job="auth-server",instance="i"}', "1x200"),
      one('up{job="node",instance="i"}', "0x200"),
    ],
  },
  DaykeyNotReady: {
    fires: [one('instance_ready{service="auth-server",instance="i",worker="2"}', "0x200")],
    // A start or a restart.
    silent: [TWO_OF_EACH, one('instance_ready{service="auth-server",instance="i"}', "0x4 1x196")],
  },
  DaykeyErrors: {
    fires: [requests("0+100x200", "0+2x200"), requests("0+1x200", "0+1x200")],
    silent: [requests("0+1000x200", "0+2x200"), requests("5x200", "0x200")],
  },
  DaykeySlow: {
    fires: [slow("0+90x200", "0+100x200")],
    silent: [slow("0+100x200", "0+100x200"), slow("0x200", "0+100x200", "/primes/:n")],
  },
  DaykeyFeedSilent: {
    fires: [one('revocation_feed_age_seconds{instance="i"}', "0+15x200")],
    silent: [one('revocation_feed_age_seconds{instance="i"}', "3x200")],
  },
  DaykeyRevocationsLate: {
    fires: [late("0+1x200", "0+10x200")],
    silent: [late("0+10x200", "0+10x200"), late("0x200", "0x200")],
  },
  DaykeyKeyNotRotated: {
    fires: [one('key_rotation_due_seconds{purpose="signing"}', "-301x200")],
    silent: [one('key_rotation_due_seconds{purpose="signing"}', "-60x20 86400x180")],
  },
  DaykeySecretEnding: {
    fires: [one('client_secrets_ending{within="7d"}', "1x300")],
    silent: [
      {
        'client_secrets_ending{within="7d"}': "0x300",
        'client_secrets_ending{within="30d"}': "3x300",
      },
    ],
  },
  DaykeySecretEnded: {
    // An hour before it was one that ends.
    fires: [one('client_secrets_ending{within="ended"}', "0x100 1x200")],
    silent: [
      {
        'client_secrets_ending{within="ended"}': "0x200",
        'client_secrets_ending{within="7d"}': "2x200",
      },
    ],
  },
  DaykeyPoolExhausted: {
    fires: [one('database_pool_waiting{service="s",instance="i"}', "2x200")],
    silent: [one('database_pool_waiting{service="s",instance="i"}', "2 0 2 0 2 0x200")],
  },
  DaykeyQuotaStoreDown: {
    fires: [one('quota_decisions_total{instance="i",decision="store_down"}', "0x100 0+1x100")],
    silent: [
      {
        'quota_decisions_total{instance="i",decision="store_down"}': "7x200",
        'quota_decisions_total{instance="i",decision="admitted"}': "0+9x200",
      },
    ],
  },
  DaykeyRedisUnusable: {
    fires: [one('redis_usable{service="auth-server",instance="i",worker="1"}', "1x20 0x180")],
    silent: [one('redis_usable{service="auth-server",instance="i"}', "1x200"), TWO_OF_EACH],
  },
  DaykeyDatabaseUnusable: {
    fires: [
      one('database_usable{service="resource-server",instance="i",worker="1"}', "1x20 0x180"),
    ],
    silent: [
      one('database_usable{service="resource-server",instance="i"}', "1x200"),
      // Lost for a moment, as in a failover.
      one('database_usable{service="resource-server",instance="i"}', "1x190 0 1x20"),
      TWO_OF_EACH,
    ],
  },
  DaykeyDatabaseUnread: {
    fires: [one('database_read_age_seconds{instance="i"}', "0+15x200")],
    silent: [one('database_read_age_seconds{instance="i"}', "2x200")],
  },
  DaykeyEventLoopLag: {
    fires: [one('nodejs_eventloop_lag_p99_seconds{service="s",instance="i"}', "0.2x200")],
    silent: [one('nodejs_eventloop_lag_p99_seconds{service="s",instance="i"}', "0.02x200")],
  },
  DaykeyRestarts: {
    fires: [started("1x160 2x4 3x4 4x4 5x30")],
    silent: [started("1x180 2x40")],
  },
  DaykeyRefreshTokenReuse: {
    // The first since a start.
    fires: [one('refreshes_total{outcome="reuse"}', "0x180 1x40")],
    silent: [
      one('refreshes_total{outcome="reuse"}', "4x220"),
      one('refreshes_total{outcome="rotated"}', "0+5x220"),
    ],
  },
  DaykeyAuditDamage: {
    fires: [
      one('audit_damage_total{outcome="refused"}', "0x100 1x200"),
      one('audit_damage_total{outcome="recorded"}', "0x100 1x200"),
    ],
    silent: [one('audit_damage_total{outcome="refused"}', "0x300")],
  },
  DaykeyClientTokensEnded: {
    fires: [one('client_tokens_ended_total{instance="i"}', "0x180 1x40")],
    silent: [one('client_tokens_ended_total{instance="i"}', "3x220")],
  },
  DaykeyClientRowsRefused: {
    fires: [one('client_rows_refused_total{reason="too_many_grants"}', "0x150 0+10x70")],
    // A burst of one client.
    silent: [one('client_rows_refused_total{reason="too_many_nonces"}', "0x180 50x40")],
  },
  DaykeyRevocationsGap: {
    fires: [one('revocations_gaps_total{instance="i"}', "0x180 1x40")],
    silent: [one('revocations_gaps_total{instance="i"}', "2x220")],
  },
  DaykeyBadCredentials: {
    fires: [failed("0+30x300")],
    silent: [failed("0+1x300"), one('client_authentications_total{result="ok"}', "0+99x300")],
  },
  DaykeyWorkloadsRefused: {
    fires: [assertions('result="no_rule"', 'result="replayed"', 'result="ok"')],
    silent: [assertions('result="no_rule"', 'result="dry_run"', 'result="ok"')],
  },
  DaykeyCertificateEnds: {
    fires: [
      one('tls_certificate_expires_at_seconds{service="auth-server",instance="i"}', "600000x200"),
    ],
    silent: [
      one('tls_certificate_expires_at_seconds{service="auth-server",instance="i"}', "700000x200"),
    ],
  },
  DaykeyCertificateUnusable: {
    fires: [one('tls_files_current{service="auth-server",instance="i"}', "1x20 0x180")],
    silent: [
      one('tls_files_current{service="auth-server",instance="i"}', "1x200"),
      // A renewal that writes one file after the other.
      one('tls_files_current{service="auth-server",instance="i"}', "1x185 0 0 1x20"),
    ],
  },
  DaykeyGatewayRoutes: {
    fires: [one('routes_file_current{instance="i"}', "0x200")],
    silent: [one('routes_file_current{instance="i"}', "1x200")],
  },
  DaykeyGatewayStrangers: {
    fires: [one('gateway_decisions_total{door="nginx",decision="untrusted_peer"}', "0+1x200")],
    silent: [
      one('gateway_decisions_total{door="nginx",decision="untrusted_peer"}', "7x200"),
      one('gateway_decisions_total{door="nginx",decision="no_route"}', "0+1x200"),
    ],
  },
  DaykeyEgressNoToken: {
    fires: [one('egress_faults_total{upstream="a",reason="no_token"}', "0+1x200")],
    silent: [
      one('egress_faults_total{upstream="a",reason="no_token"}', "0x200"),
      one('egress_faults_total{upstream="a",reason="browser"}', "0+1x200"),
    ],
  },
};

/** Minutes after the beginning; what is to fire does so by then. */
const AT: Record<string, string> = { DaykeySecretEnding: "70m" };

test("each rule has a case of both kinds", () => {
  expect(Object.keys(CASES)).toEqual(rules.map(({ alert }) => alert));
});

/** A rule file with this rule alone, and promtool's test file for it. */
function writeBench(folder: string, rule: Rule): string {
  const { alert } = rule;
  const { fires = [], silent = [] } = CASES[alert] ?? {};
  const bench = (series: Series, isFiring: boolean) => ({
    interval: "15s",
    name: `${alert} ${isFiring ? "fires" : "is silent"}`,
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    promql_expr_test: [
      {
        expr: `count(ALERTS{alertname="${alert}",alertstate="firing"}) > bool 0`,
        eval_time: AT[alert] ?? "48m",
        exp_samples: isFiring ? [{ labels: "{}", value: 1 }] : [],
      },
    ],
  });
  const tests = [
    ...fires.map((series) => bench(series, true)),
    ...silent.map((series) => bench(series, false)),
  ];
  writeFileSync(
    join(folder, `${alert}.yml`),
    stringify({ groups: [{ name: alert, rules: [rule] }] }),
  );
  const file = join(folder, `${alert}.test.yml`);
  const rule_files = [`${alert}.yml`];
  writeFileSync(file, stringify({ rule_files, evaluation_interval: "15s", tests }));
  return file;
}

test.skipIf(!promtool)(
  "each alert fires on what it is for, and is silent beside it",
  () => {
    const folder = mkdtempSync(join(tmpdir(), "daykey-alerts-"));
    try {
      execFileSync(promtool ?? "", ["check", "rules", FILE]);
      const files = rules.map((rule) => writeBench(folder, rule));
      const { stdout, stderr } = spawnSync(promtool ?? "", ["test", "rules", ...files], {
        encoding: "utf8",
      });
      expect(stderr).not.toContain("FAILED");
      expect(stdout.match(/SUCCESS/g)).toHaveLength(rules.length);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  120_000,
);

test("each alert says what is wrong, what to do, and where the rest stands", () => {
  for (const { alert, annotations } of rules) {
    expect(Object.keys(annotations), alert).toEqual(["summary", "action", "docs"]);
    const [file = "", anchor = ""] = annotations.docs.split("#");
    const anchors = anchorsOf(readDocument(file));
    expect(anchors, alert).toContain(anchor);
  }
});

/** By names that an operator gives later. */
const OF_ISSUERS = "workload_assertions_total";

test("a counter that an alert reads is there from the start of a server, at 0", async () => {
  const { scraped, stop } = await scrapeAll();
  await stop();
  const read = rules.flatMap(({ expr }) => [
    ...expr.matchAll(/(\w+_total)(?:\{(\w+)=~?"([^"]+)"\})?\[/g),
  ]);
  expect(read.length).toBeGreaterThanOrEqual(4);
  for (const [, name = "", label, values = ""] of read) {
    const series = scraped.flatMap((metrics) => Object.entries(metrics.values(name)));
    if (name === OF_ISSUERS) continue;
    for (const value of values.split("|")) {
      const own = series.filter(([labels]) => !label || labels.includes(`${label}="${value}"`));
      expect(
        own.map(([, count]) => count),
        `${name} ${value}`,
      ).toContain(0);
    }
  }
});
