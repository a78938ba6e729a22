/** The audit log in a database: what its writers cannot do, and what its reader finds (A6). */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createDatabase, type Database } from "@daykey/service/database/database";
import { createTestDatabase, type TestDatabase } from "@daykey/service/test/database";
import { createTestLog } from "@daykey/service/test/log";
import { type MasterKey, openMasterKey } from "../keys/master-key.ts";
import { createSealer, type Sealer } from "../keys/sealing.ts";
import { type AuditStore, createAuditStore } from "./audit-store.ts";
import { type ChainedRow, GENESIS, hashOf } from "./chain.ts";
import type { AuditEvent, AuditFact } from "./events.ts";

let admin: TestDatabase;
let database: Database;
let masterKey: MasterKey;
let sealer: Sealer;
let audit: AuditStore;
beforeAll(async () => {
  admin = await createTestDatabase();
  database = createDatabase({
    connectionString: admin.appUrl,
    log: createTestLog().log,
    // Fifty wait for one lock: nobody gives up.
    timeouts: { connectSeconds: 60, lockSeconds: 60, statementSeconds: 60, silenceSeconds: 60 },
  });
});
beforeEach(async () => {
  await admin.query("truncate daykey.audit_log, daykey.audit_head");
  masterKey = await randomMasterKey();
  sealer = createSealer(masterKey);
  audit = createAuditStore(database, sealer);
});
afterAll(async () => {
  await database.close();
  await admin.drop();
});

async function randomMasterKey(): Promise<MasterKey> {
  return openMasterKey(randomBytes(32).toString("hex"), Buffer.alloc(16));
}

const EVENT: AuditEvent = {
  actor: "admin",
  action: "client.change",
  target: "billing",
  before: { name: "old", scopes: ["a", "b"], epoch: 0, jwks_uri: null },
  after: { name: "new \u2028 🗝", scopes: [], epoch: 1, jwks_uri: null },
};

async function append(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const event = { ...EVENT, target: `client-${i}` };
    await database.transaction(async (tx) => audit.append(tx, event));
  }
}

test("is whole while empty, and after any number of rows", async () => {
  expect(await audit.verify()).toEqual({ valid: true, rows: 0, head: "00".repeat(32) });
  await append(3);
  const [newest] = (await audit.list({ limit: 1 })).entries;
  expect(await audit.verify()).toEqual({ valid: true, rows: 3, head: newest?.hash });
});

test("is read newest first, in pages", async () => {
  await append(5);
  const { entries: first, next } = await audit.list({ limit: 2 });
  const { entries: second, next: end } = await audit.list({ limit: 9, after: next });
  expect(end).toBeUndefined();
  expect([...first, ...second].map(({ seq }) => seq)).toEqual([5, 4, 3, 2, 1]);
  expect(second.at(-1)).toEqual({
    seq: 1,
    at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
    actor: "admin",
    action: "client.change",
    target: "client-0",
    detail: { before: EVENT.before, after: EVENT.after },
    hash: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
});

test("fifty at once make one chain without forks or gaps, from two instances", async () => {
  const other = createDatabase({
    connectionString: admin.appUrl,
    log: createTestLog().log,
    // Fifty wait for one lock: nobody gives up.
    timeouts: { connectSeconds: 60, lockSeconds: 60, statementSeconds: 60, silenceSeconds: 60 },
  });
  const second = createAuditStore(other, sealer);
  await Promise.all(
    Array.from({ length: 50 }, (_, i) =>
      i % 2 === 0
        ? database.transaction(async (tx) => audit.append(tx, EVENT))
        : other.transaction(async (tx) => second.append(tx, EVENT)),
    ),
  );
  await other.close();
  expect(await audit.verify()).toMatchObject({ valid: true, rows: 50 });
});

test("a change that fails leaves no row, and the next one no gap", async () => {
  await append(1);
  const failing = database.transaction(async (tx) => {
    await audit.append(tx, EVENT);
    throw new Error("canary");
  });
  await expect(failing).rejects.toThrow("canary");
  await append(1);
  expect(await audit.verify()).toMatchObject({ valid: true, rows: 2 });
});

describe("the role that serves", () => {
  test.each([
    "update daykey.audit_log set actor = 'nobody'",
    "delete from daykey.audit_log",
    "truncate daykey.audit_log",
    "delete from daykey.audit_head",
    "drop table daykey.audit_log",
    "alter table daykey.audit_log disable trigger all",
  ])("cannot: %s", async (text) => {
    await append(1);
    await expect(database.query({ text })).rejects.toMatchObject({ code: "42501" });
    expect(await audit.verify()).toMatchObject({ valid: true, rows: 1 });
  });
});

describe("a superuser's alteration is found:", () => {
  const FIRST_BAD: [name: string, sql: string, firstBadSeq: number, reason: string][] = [
    ["another actor", "update daykey.audit_log set actor = 'nobody' where seq = 3", 3, "changed"],
    [
      "another action",
      "update daykey.audit_log set action = 'client.enable' where seq = 3",
      3,
      "changed",
    ],
    ["another target", "update daykey.audit_log set target = 'x' where seq = 1", 1, "changed"],
    [
      "a microsecond",
      "update daykey.audit_log set at = at + interval '1 us' where seq = 5",
      5,
      "changed",
    ],
    [
      "another detail",
      `update daykey.audit_log set detail = jsonb_set(detail, '{after,epoch}', '2') where seq = 2`,
      2,
      "changed",
    ],
    [
      "a member more",
      `update daykey.audit_log set detail = detail || '{"note":"x"}' where seq = 2`,
      2,
      "changed",
    ],
    ["another hash", "update daykey.audit_log set hash = sha256(hash) where seq = 4", 4, "changed"],
    ["a row less", "delete from daykey.audit_log where seq = 3", 3, "missing"],
    ["the first less", "delete from daykey.audit_log where seq = 1", 1, "missing"],
    ["the newest less", "delete from daykey.audit_log where seq = 6", 6, "missing"],
    ["the newest two less", "delete from daykey.audit_log where seq > 4", 5, "missing"],
    ["all less", "delete from daykey.audit_log", 1, "missing"],
    [
      "two in another order",
      `update daykey.audit_log set seq = -seq where false;
       alter table daykey.audit_log drop constraint audit_log_seq_check;
       update daykey.audit_log set seq = -seq where seq in (2, 3);
       update daykey.audit_log set seq = case seq when -2 then 3 else 2 end where seq < 0;
       alter table daykey.audit_log add constraint audit_log_seq_check check (seq > 0)`,
      2,
      "changed",
    ],
    [
      "a row more at the end",
      `insert into daykey.audit_log
       select seq + 1, at, actor, action, target, detail, hash from daykey.audit_log where seq = 6`,
      7,
      "unknown",
    ],
    ["no head", "delete from daykey.audit_head", 6, "head"],
    ["another head", "update daykey.audit_head set sealed = sealed || '\\x00'", 6, "head"],
    ["an empty head", "update daykey.audit_head set sealed = ''", 6, "head"],
  ];

  test.each(FIRST_BAD)("%s", async (_name, sql, firstBadSeq, reason) => {
    await append(6);
    await admin.query(sql);
    expect(await audit.verify()).toEqual({ valid: false, firstBadSeq, reason });
  });

  test("a chain computed anew from the altered row on", async () => {
    await append(4);
    const rows = (await audit.list({ limit: 10 })).entries.toReversed();
    let previous: Buffer = GENESIS;
    for (const row of rows) {
      const forged: ChainedRow = { ...row, actor: row.seq >= 2 ? "nobody" : row.actor };
      previous = hashOf(previous, forged);
      await admin.query("update daykey.audit_log set actor = $2, hash = $3 where seq = $1", [
        row.seq,
        forged.actor,
        previous,
      ]);
    }
    expect(await audit.verify()).toEqual({ valid: false, firstBadSeq: 4, reason: "rewritten" });
  });

  test("the newest rows less stays found, whatever is added afterwards", async () => {
    await append(4);
    await admin.query("delete from daykey.audit_log where seq >= 3");
    await append(2);
    expect(await audit.verify()).toEqual({ valid: false, firstBadSeq: 3, reason: "missing" });
  });

  test("an earlier head put back does not fit the rows", async () => {
    await append(2);
    const [head] = await admin.query<{ sealed: Buffer }>("select sealed from daykey.audit_head");
    await append(2);
    await admin.query("update daykey.audit_head set sealed = $1", [head?.sealed]);
    expect(await audit.verify()).toEqual({ valid: false, firstBadSeq: 3, reason: "unknown" });
  });

  test("across the batches of a long log", async () => {
    const detail: AuditFact = { before: null, after: null };
    let previous: Buffer = GENESIS;
    const rows = Array.from({ length: 1200 }, (_, i) => {
      const at = "2026-11-21T12:00:00.000000Z";
      const row = { seq: i + 1, at, actor: "a", action: "b", target: "c", detail };
      previous = hashOf(previous, row);
      return { ...row, hash: previous.toString("hex") };
    });
    await admin.query(
      `insert into daykey.audit_log select seq, at, actor, action, target, detail, decode(hash, 'hex')
       from jsonb_to_recordset($1) as r (seq bigint, at timestamptz, actor text, action text,
         target text, detail jsonb, hash text)`,
      [JSON.stringify(rows)],
    );
    const sealed = sealer.seal(
      Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 0, 1200 >> 8, 1200 & 255]), previous]),
      { table: "audit_head", row: "head" },
    );
    await admin.query("insert into daykey.audit_head (sealed) values ($1)", [sealed]);
    await append(1);
    expect(await audit.verify()).toMatchObject({ valid: true, rows: 1201 });
    await admin.query("update daykey.audit_log set target = 'd' where seq = 1001");
    expect(await audit.verify()).toEqual({ valid: false, firstBadSeq: 1001, reason: "changed" });
  });
});

describe("what cannot be recorded is not done:", () => {
  test.each(["delete from daykey.audit_head", "update daykey.audit_head set sealed = '\\x01'"])(
    "%s",
    async (sql) => {
      await append(1);
      await admin.query(sql);
      const change = database.transaction(async (tx) => {
        await tx.query({ text: "insert into daykey.settings (name, value) values ('a', 'b')" });
        await audit.append(tx, EVENT);
      });
      await expect(change).rejects.toMatchObject({ status: 503, code: "audit-log-damaged" });
      const settings = await admin.query("select from daykey.settings where name = 'a'");
      expect(settings).toEqual([]);
    },
  );
});

test("a new master key seals the head anew, and only a genuine one", async () => {
  await append(2);
  const [before] = await admin.query<{ sealed: Buffer }>("select sealed from daykey.audit_head");
  const next = await randomMasterKey();
  const both = createAuditStore(database, createSealer(next, masterKey));
  await both.reseal();
  const alone = createAuditStore(database, createSealer(next));
  expect(await alone.verify()).toMatchObject({ valid: true, rows: 2 });
  await admin.query("update daykey.audit_head set sealed = $1", [
    Buffer.concat([before?.sealed ?? Buffer.alloc(0), Buffer.of(0)]),
  ]);
  await both.reseal();
  expect(await both.verify()).toMatchObject({ valid: false, reason: "head" });
});
