/** What the store promises beside the table of docs/protocol.md §2: revocation, cleaning, no waiting. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDatabase, type Database } from "@daykey/service/database/database";
import { createTestDatabase } from "@daykey/service/test/database";
import { createTestLog } from "@daykey/service/test/log";
import { startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";
import {
  expectRefused,
  grantRow,
  lastReason,
  openGrant,
  readToken,
  rotate,
} from "../../test/refresh.ts";
import { createReplayStore } from "../authentication/replay-store.ts";
import { createGrantsStore, type GrantsStore, type Presentation } from "./grants-store.ts";

let server: TestAuthServer;
/** Two instances' connections. */
let databases: Database[];
let store: GrantsStore;
let other: GrantsStore;
beforeAll(async () => {
  server = await startAuthServer();
  const { log } = createTestLog();
  const connectionString = server.database.appUrl;
  databases = [0, 1].map(() => createDatabase({ connectionString, log, max: 4 }));
  [store, other] = databases.map((own) => createGrantsStore(own, { newsSeconds: 3900 })) as [
    GrantsStore,
    GrantsStore,
  ];
});
afterAll(async () => {
  await Promise.all(databases.map((database) => database.close()));
  await server.stop();
});

const CLIENT = "a-client";

function presentation(seq = 0, grantId: string = randomUUID()): Presentation {
  return { grantId, clientId: CLIENT, seq, expiresAt: server.now() + 3600 };
}

test("revoking twice keeps the first time; an unused grant's row stands until its end", async () => {
  const { grantId, expiresAt } = presentation();
  await store.revoke({ grantId, clientId: CLIENT, expiresAt: expiresAt + 60 });
  const row = await grantRow(server.database, grantId);
  expect(row).toEqual({
    client_id: CLIENT,
    seq: 0,
    rotated_at: null,
    revoked_at: expect.any(Date),
    revoke_reason: "revoked",
    expires_at: new Date((expiresAt + 60) * 1000),
  });
  await other.revoke({ grantId, clientId: CLIENT, expiresAt });
  expect(await grantRow(server.database, grantId)).toEqual(row);
});

test("R13: a grant revoked before its first use stays dead after every table is cleaned", async () => {
  const client = await server.createClient();
  const { id, token } = await openGrant(server, client);
  const { clientId, expiresAt } = readToken(token).grant;
  await store.revoke({ grantId: id, clientId, expiresAt });
  const clean = async (): Promise<void> => {
    await store.clean();
    await createReplayStore(databases[0] as Database).clean();
  };
  await clean();
  expectRefused(await server.refresh(client, token));
  expect(lastReason(server)).toBe("revoked");

  // At the grant's end its row is still there; a day later it goes, and nothing needs it any more.
  await server.database.query("update daykey.grants set expires_at = now() where id = $1", [id]);
  await clean();
  expectRefused(await server.refresh(client, token));
  expect(lastReason(server)).toBe("revoked");
  server.advance(expiresAt + 86_400 - server.now());
  await server.database.query(
    "update daykey.grants set expires_at = now() - interval '86401 s' where id = $1",
    [id],
  );
  await clean();
  expect(await grantRow(server.database, id)).toBeUndefined();
  expectRefused(await server.refresh(client, token));
  expect(lastReason(server)).toBe("absolute_end");
  expect(await grantRow(server.database, id)).toBeUndefined();
  server.advance(Date.now() / 1000 - server.now());
});

test("T12: cleaning takes rows a day past their end, and no other, by two instances at once", async () => {
  const kept = await Promise.all([
    rotated(presentation()),
    rotated({ ...presentation(), expiresAt: Date.now() / 1000 - 86_300 }),
  ]);
  await server.database.query(
    `insert into daykey.grants (id, client_id, seq, expires_at)
     select gen_random_uuid(), 'gone', 0, now() - interval '86410 s' - i * interval '1 s'
     from generate_series(1, 25000) i`,
  );
  await Promise.all([store.clean(), other.clean()]);
  for (const grantId of kept) expect(await grantRow(server.database, grantId)).toBeDefined();
  const left = await server.database.query(
    "select id from daykey.grants where expires_at < now() - interval '1 day'",
  );
  expect(left).toEqual([]);
});

async function rotated(first: Presentation): Promise<string> {
  expect(await store.rotate(first)).toMatchObject({ kind: "rotated", seq: 1 });
  return first.grantId;
}

test("R11: 200 grants in opposite orders at two instances: nobody waits for the other", async () => {
  const firsts = Array.from({ length: 200 }, () => presentation());
  const [ascending, descending] = [
    firsts.toSorted((a, b) => (a.grantId < b.grantId ? -1 : 1)),
    firsts.toSorted((a, b) => (a.grantId < b.grantId ? 1 : -1)),
  ];
  for (let seq = 0; seq < 6; seq++) {
    const kinds = await Promise.all([
      ...ascending.map((item) => store.rotate({ ...item, seq })),
      ...descending.map((item) => other.rotate({ ...item, seq })),
    ]);
    const count = (kind: string): number => kinds.filter((outcome) => outcome.kind === kind).length;
    expect([count("rotated"), count("retried")]).toEqual([200, 200]);
  }
});

test("one grant presented twice in one turn: the second waits and is a retry", async () => {
  const item = presentation();
  const outcomes = await Promise.all([store.rotate(item), store.rotate(item), store.rotate(item)]);
  const [first] = outcomes;
  expect(first).toMatchObject({ kind: "rotated", seq: 1 });
  for (const retry of outcomes.slice(1)) expect(retry).toEqual({ ...first, kind: "retried" });
});

test("no refresh ever scans the table, though its plan was made while that was empty", async () => {
  const rows = await createTestDatabase();
  const { log } = createTestLog();
  const database = createDatabase({ connectionString: rows.appUrl, log, max: 1 });
  const scans = await database.transaction(async (tx) => {
    const own = createGrantsStore({ ...database, query: tx.query }, { newsSeconds: 3900 });
    const present = (): Promise<unknown> =>
      Promise.all(Array.from({ length: 64 }, (_, i) => own.rotate(presentation(3, numbered(i)))));
    for (let i = 0; i < 8; i++) await present();
    await tx.query({
      text: `insert into daykey.grants (id, client_id, seq, expires_at)
             select lpad(to_hex(i), 32, '0')::uuid, 'many', 3, now() + interval '1 h'
             from generate_series(0, 19999) i`,
    });
    for (let i = 0; i < 8; i++) await present();
    const counted = await tx.query<object>({
      text: `select seq_scan::int as whole, idx_tup_fetch >= 512 as "byIndex"
             from pg_stat_xact_all_tables where relid = 'daykey.grants'::regclass`,
    });
    return counted.rows;
  });
  expect(scans).toEqual([{ whole: 0, byIndex: true }]);
  await database.close();
  await rows.drop();
});

function numbered(n: number): string {
  return `00000000-0000-0000-0000-${n.toString(16).padStart(12, "0")}`;
}

test("the role that serves may not do more to grants than this store does", async () => {
  await expect(
    (databases[0] as Database).query({ text: "truncate daykey.grants" }),
  ).rejects.toThrow(/permission denied/);
});

test("an expired grant's number is decided by its row all the same", async () => {
  const client = await server.createClient();
  const { id, token } = await openGrant(server, client);
  const newest = await rotate(server, client, token);
  await server.database.query(
    "update daykey.grants set expires_at = now() - interval '1 h' where id = $1",
    [id],
  );
  await store.clean();
  expect(await grantRow(server.database, id)).toMatchObject({ seq: 1 });
  await rotate(server, client, newest);
});
