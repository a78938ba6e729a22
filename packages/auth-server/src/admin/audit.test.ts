/** The audit log through the admin API: filters, pages, and what a question may cost. */
import { createDatabase, type Database } from "@daykey/service/database/database";
import { createTestLog } from "@daykey/service/test/log";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestAdmin, type TestAdmin } from "../../test/admin.ts";
import { startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";
import { type AuditFilter, EXAMINED, listEntries } from "../audit/audit-entries-store.ts";

let server: TestAuthServer;
let admin: TestAdmin;
let database: Database;
beforeAll(async () => {
  server = await startAuthServer();
  admin = await createTestAdmin(server);
  database = createDatabase({
    connectionString: server.database.appUrl,
    max: 1,
    log: createTestLog().log,
  });
  await server.database.query("truncate daykey.audit_log, daykey.audit_head");
  await insert(
    ROWS.map(([at, actor, action, target], i) => ({ seq: i + 1, at, actor, action, target })),
  );
});
afterAll(async () => {
  await database.close();
  await server.stop();
});

interface Entry {
  seq: number | string;
  at: string;
  actor: string;
  action: string;
  target: string;
}

/** Oldest first. The clock was set back by an hour before the sixth. */
const ROWS: [at: string, actor: string, action: string, target: string][] = [
  ["2026-11-01T00:00:00.000000Z", "(set-up)", "client.create", "admin"],
  ["2026-11-02T10:00:00.000001Z", "admin", "client.create", "billing"],
  ["2026-11-02T10:00:00.000001Z", "admin", "secret.add", "billing abcdefgh"],
  ["2026-11-03T00:00:00.000000Z", "other-admin", "client.create", "billing-2"],
  ["2026-11-03T12:00:00.000000Z", "admin", "signing_key.add", "billing"],
  ["2026-11-03T11:00:00.000000Z", "admin", "resource.create", "https://billing.example"],
  ["2026-11-03T11:30:00.999999Z", "other-admin", "secret.revoke", "billing abcdefgh"],
  ["2026-11-04T00:00:00.000000Z", "(recovery)", "client.create", "admin-abc"],
  ["2026-11-05T00:00:00.000000Z", "admin", "database.restored", "database"],
];

async function insert(rows: Entry[]): Promise<void> {
  await server.database.query(
    `insert into daykey.audit_log
     select seq, at, actor, action, target, '{"before": null, "after": null}', sha256('')
     from jsonb_to_recordset($1) as r (seq bigint, at timestamptz, actor text, action text,
       target text)`,
    [JSON.stringify(rows)],
  );
}

/** All entries, by pages of `limit`. */
async function walk(query: string, limit: number): Promise<number[]> {
  const found: number[] = [];
  let cursor = "";
  do {
    const { status, body, text } = await admin.get(`/audit?limit=${limit}${query}${cursor}`);
    expect(status, text).toBe(200);
    expect(body.items.length).toBeLessThanOrEqual(limit);
    for (const { seq } of body.items) found.push(seq);
    cursor = body.next_cursor === null ? "" : `&cursor=${body.next_cursor}`;
  } while (cursor !== "");
  return found;
}

test.each<[query: string, found: number[]]>([
  ["", [9, 8, 7, 6, 5, 4, 3, 2, 1]],
  ["&actor=admin", [9, 5, 6, 3, 2]],
  ["&actor=(recovery)", [8]],
  ["&actor=adm", []],
  ["&action=client.create", [8, 4, 2, 1]],
  ["&client_id=billing", [7, 3, 2]],
  ["&client_id=billing-2", [4]],
  ["&client_id=database", []],
  ["&client_id=abcdefgh", []],
  ["&since=2026-11-03T11:30:00Z", [9, 8, 5, 7]],
  ["&until=2026-11-02T10:00:00.000001Z", [1]],
  ["&since=2026-11-02T10:00:00.000001Z&until=2026-11-02T10:00:00.000002Z", [3, 2]],
  ["&since=2026-11-03T00:00:00Z&until=2026-11-04T00:00:00Z", [5, 7, 6, 4]],
  ["&since=2026-11-04T00:00:00Z&until=2026-11-03T00:00:00Z", []],
  ["&actor=admin&action=client.create", [2]],
  ["&actor=other-admin&client_id=billing", [7]],
  ["&actor=admin&client_id=billing&action=secret.add&since=2026-11-01T00:00:00Z", [3]],
  ["&actor=admin&until=2026-11-03T11:30:00Z", [6, 3, 2]],
  ["&actor=other-admin&action=database.restored", []],
])(
  "the audit log by %j holds what fits, newest first, in pages of any size",
  async (query, found) => {
    for (const limit of [1, 2, 3, 200]) expect(await walk(query, limit)).toEqual(found);
  },
);

const cursor = (text: string): string => Buffer.from(text, "latin1").toString("base64url");

test.each([
  "actor=",
  "actor=%00",
  "actor=a%0Ab",
  `actor=${"x".repeat(67)}`,
  "actor=a&actor=b",
  "action=",
  "action=client",
  "action=CLIENT.CREATE",
  "action=client.create'--",
  "action=__proto__",
  "client=billing",
  "client_id=",
  "client_id=(set-up)",
  "client_id=billing%20abcdefgh",
  "client_id=a%00",
  "since=",
  "since=now",
  "since=infinity",
  "since=yesterday",
  "since=2026-11-21",
  "since=1795000000",
  "since=2026-02-30T00:00:00Z",
  "since=2026-11-21T24:00:00Z",
  "since=2026-11-21T23:59:60Z",
  "since=0000-01-01T00:00:00Z",
  "since=10000-01-01T00:00:00Z",
  "since=2026-11-21T12:00:00%2B01:00",
  "since=2026-11-21T12:00:00.1234567Z",
  `since=2026-11-21T12:00:00.${"1".repeat(2000)}Z`,
  "until=2026-11-21T12:00:00Z%00",
  "until=-infinity",
  "seq=1",
  "__proto__=1",
  "limit=0",
  "cursor=AAAA",
  `cursor=${cursor("seq 0")}`,
  `cursor=${cursor("seq -1")}`,
  `cursor=${cursor("seq 9223372036854775808")}`,
  `cursor=${cursor("seq 99999999999999999999")}`,
  `actor=admin&cursor=${cursor("at 2026-11-21T12:00:00.000000Z")}`,
])("A5: /audit?%s is 400", async (query) => {
  const answer = await admin.get(`/audit?${query}`);
  expect(answer.status, answer.text).toBe(400);
});

test.each(["seq 9223372036854775807", "seq 777777"])(
  "a cursor that no page gave is no fault of the server: %s",
  async (text) => {
    for (const query of ["", "&actor=admin"]) {
      expect((await admin.get(`/audit?cursor=${cursor(text)}${query}`)).status).toBe(200);
    }
  },
);

test("entries of another do not hide those before them, whatever their number and time", async () => {
  await insert([
    { ...FOREIGN, seq: "9007199254740993", at: "infinity" },
    { ...FOREIGN, seq: 500, at: "-infinity" },
    { ...FOREIGN, seq: 501, at: "294000-01-01T00:00:00Z" },
  ]);
  try {
    for (const filter of [{ actor: "admin" }, { since: "2026-01-01T00:00:00Z" }, {}]) {
      const found: number[] = [];
      let after: string | undefined;
      do {
        const { entries, next } = await listEntries(database, { limit: 1, after, filter });
        found.push(...entries.map(({ seq }) => seq));
        after = next;
      } while (after !== undefined);
      const ours = found.filter((seq) => seq < 100).toSorted((a, b) => a - b);
      expect(ours).toEqual("actor" in filter ? [2, 3, 5, 6, 9] : [1, 2, 3, 4, 5, 6, 7, 8, 9]);
      expect(found).toHaveLength(ours.length + ("since" in filter ? 2 : 3));
    }
  } finally {
    await server.database.query("delete from daykey.audit_log where seq > 9");
  }
});
const FOREIGN = { actor: "admin", action: "client.create", target: "x" };

describe("in a long log", () => {
  const LENGTH = 12_000;
  beforeAll(async () => {
    await server.database.query(
      `insert into daykey.audit_log
       select n, '2026-12-01'::timestamptz + make_interval(secs => n),
         case when n % 3 = 0 then 'often' else 'actor-' || n % 50 end,
         case when n % 3 = 0 then 'client.change' else 'client.disable' end,
         case when n % 2 = 0 then 'busy' else 'client-' || n end,
         '{"before": null, "after": null}', sha256('')
       from generate_series(1001, ${1000 + LENGTH}) n`,
    );
    await server.database.query("analyze daykey.audit_log");
  });

  test("what fits nowhere is found to be so in pages that may be empty", async () => {
    expect(await walk("&actor=often&action=client.disable", 200)).toEqual([]);
    const first = await admin.get("/audit?actor=often&action=client.disable");
    expect(first.body.items).toEqual([]);
    expect(first.body.next_cursor).not.toBeNull();
  });

  test("what fits rarely is found behind pages without it", async () => {
    expect(await walk("&client_id=billing&actor=other-admin", 1)).toEqual([7]);
    await insert([
      {
        seq: 900,
        at: "2026-11-30T00:00:00Z",
        actor: "often",
        action: "client.disable",
        target: "z",
      },
    ]);
    expect(await walk("&actor=often&action=client.disable", 7)).toEqual([900]);
  });

  test.each<[string, AuditFilter]>([
    ["an actor", { actor: "often" }],
    ["a rare actor", { actor: "(recovery)" }],
    ["nobody", { actor: "nobody" }],
    ["an action", { action: "client.change" }],
    ["a client", { clientId: "busy" }],
    ["a time long ago", { until: "2026-11-02T00:00:00Z" }],
    ["no time", { since: "2026-11-20T00:00:00Z", until: "2026-11-21T00:00:00Z" }],
    ["two that exclude each other", { actor: "often", action: "client.disable" }],
    [
      "all",
      { actor: "often", action: "client.disable", clientId: "busy", since: "2026-12-01T00:00:00Z" },
    ],
    ["one and a time long ago", { actor: "often", until: "2026-11-02T00:00:00Z" }],
  ])("a page by %s reads a bounded number of entries, by an index", async (_, filter) => {
    for (const after of [undefined, "4000"]) {
      const nodes = await planOf(filter, after);
      const reads = nodes.filter((node) => node["Relation Name"] === "audit_log");
      expect(reads.length).toBeGreaterThan(0);
      for (const node of reads) {
        expect(node["Node Type"]).toMatch(/^Index/);
        const { "Actual Rows": kept, "Rows Removed by Filter": removed = 0 } = node;
        expect(kept + removed).toBeLessThanOrEqual(EXAMINED);
      }
    }
  });

  interface Node {
    "Node Type": string;
    "Relation Name"?: string;
    "Actual Rows": number;
    "Rows Removed by Filter"?: number;
    Plans?: Node[];
  }

  /** The parts of the plan that the question itself was carried out by. */
  async function planOf(filter: AuditFilter, after: string | undefined): Promise<Node[]> {
    let plan: Node | undefined;
    const explaining = {
      ...database,
      async query({ text, values }: Parameters<Database["query"]>[0]) {
        const { rows } = await database.transaction(async (tx) => {
          // Reading all of a log so short would be cheaper.
          await tx.query({ text: "set local enable_seqscan = off" });
          await tx.query({ text: "set local enable_bitmapscan = off" });
          return tx.query<{ "QUERY PLAN": [{ Plan: Node }] }>({
            text: `explain (analyze, format json) ${text}`,
            ...(values && { values }),
          });
        });
        plan = rows[0]?.["QUERY PLAN"][0].Plan;
        return { rows: [], rowCount: 0 };
      },
    };
    await listEntries(explaining, { limit: 50, after, filter });
    const all = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(all)];
    return plan ? all(plan) : [];
  }
});
