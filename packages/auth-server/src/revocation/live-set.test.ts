/** The set in memory is the one in the database, though it is not read whole. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createDatabase, type Database } from "@daykey/service/database/database";
import { createTestDatabase, type TestDatabase } from "@daykey/service/test/database";
import { createTestLog } from "@daykey/service/test/log";
import { createChangesStore } from "../changes/changes-store.ts";
import { createLiveSet, type LiveSet } from "./live-set.ts";
import { createRevocationsStore, type RevocationsStore } from "./revocations-store.ts";

const { log, lines } = createTestLog();
let rows: TestDatabase;
let database: Database;
beforeAll(async () => {
  rows = await createTestDatabase();
  database = createDatabase({ connectionString: rows.appUrl, log });
});
afterAll(async () => {
  await database.close();
  await rows.drop();
});

/** A live set that has looked once, and how many rows each of its reads got. */
async function startLiveSet({
  beforePage = async (): Promise<void> => {},
  beforeCompare = async (): Promise<void> => {},
} = {}) {
  const store = createRevocationsStore(database, { newsSeconds: 60 });
  const reads: string[] = [];
  const counting: RevocationsStore = {
    ...store,
    async *live(after) {
      for await (const page of store.live(after)) {
        await beforePage();
        reads.push(`whole ${page.length}`);
        yield page;
      }
    },
    async isSlice(slice, change) {
      reads.push(`slice ${slice.entries}`);
      await beforeCompare();
      return store.isSlice(slice, change);
    },
    async since(change) {
      const page = await store.since(change);
      reads.push(`since ${page.entries.length}`);
      return page;
    },
  };
  let now = 0;
  const liveSet = createLiveSet(counting, { log, elapsed: () => now });
  const changes = createChangesStore(database);
  const look = async ({ later = 0, isSameOrder = true } = {}): Promise<string[]> => {
    now += later;
    reads.length = 0;
    const { last, databaseNow } = await changes.since(Number.MAX_SAFE_INTEGER);
    await liveSet.look({ last, databaseNow, isSameOrder });
    return [...reads];
  };
  // The first look also begins the first comparison.
  await look();
  await vi.waitFor(async () => expect(await look({ later: 2 })).toContainEqual(expect.any(String)));
  return { liveSet, look };
}
/** What looks read for themselves, and not what is compared beside them. */
const ofLooks = (reads: string[]): string[] => reads.filter((read) => !read.startsWith("slice"));

const insert = (subject: string, count = 1, life = "1 hour"): Promise<unknown> =>
  rows.query(
    `insert into daykey.revocations (kind, subject, expires_at)
     select 'grant', $1 || i, now() + $3::interval from generate_series(1, $2::int) i on conflict do nothing`,
    [subject, count, life],
  );

const isKnown = ({ current }: LiveSet, gid: string): boolean =>
  current().isRevoked({ client_id: "a", cred: "b", ep: 0, gid }, undefined);

test("only what is new is read and told, and nothing when there is nothing", async () => {
  await insert("old-", 3000);
  const { liveSet, look } = await startLiveSet();
  const told: string[] = [];
  liveSet.subscribe((added) => told.push(...added.map(({ subject }) => subject)));
  expect(liveSet.current().size).toBe(3000);
  expect(ofLooks(await look())).toEqual([]);
  await insert("new-", 2);
  expect(ofLooks(await look())).toEqual(["since 2"]);
  expect(told.toSorted()).toEqual(["new-1", "new-2"]);
  expect(isKnown(liveSet, "new-1")).toBe(true);
});

test("one that a slower transaction commits after a faster one is not missed", async () => {
  const { liveSet, look } = await startLiveSet();
  const isOpen = Promise.withResolvers<void>();
  const mayEnd = Promise.withResolvers<void>();
  const slow = database.transaction(async (tx) => {
    await tx.query({
      text: `insert into daykey.revocations (kind, subject, expires_at)
             values ('grant', 'slow', now() + interval '1 hour')`,
    });
    isOpen.resolve();
    await mayEnd.promise;
  });
  await isOpen.promise;
  const fast = insert("fast-");
  await look();
  mayEnd.resolve();
  await Promise.all([slow, fast]);
  await look();
  expect([isKnown(liveSet, "slow"), isKnown(liveSet, "fast-1")]).toEqual([true, true]);
});

test.each([
  [
    "added",
    "lost-added",
    `insert into daykey.revocations (kind, subject, expires_at, change)
     values ('grant', 'lost-added', now() + interval '1 hour', 0)`,
    true,
  ],
  ["deleted", "gone-1", "delete from daykey.revocations where subject = 'gone-1'", false],
])(
  "a row %s without a number is noticed, and the whole set read",
  async (_how, gid, sql, known) => {
    await insert("gone-");
    const { liveSet, look } = await startLiveSet();
    await rows.query(`begin; set local session_replication_role = replica; ${sql}; commit`);
    await look();
    expect(isKnown(liveSet, gid)).toBe(!known);
    await look({ later: 61 });
    // Nobody waits for the whole set; a later look puts it in its place.
    await vi.waitFor(
      async () => {
        await look({ later: 2 });
        expect(isKnown(liveSet, gid)).toBe(known);
      },
      { timeout: 30_000 },
    );
    expect(lines.at(-1)).toMatchObject({ event: "revocations_gap", level: "warn" });
  },
);

test("while the whole set is read after a gap, the old one hears news and stays fresh", async () => {
  await insert("kept-");
  const mayRead = Promise.withResolvers<void>();
  let isHeld = false;
  const { liveSet, look } = await startLiveSet({
    beforePage: async () => (isHeld ? mayRead.promise : undefined),
  });
  isHeld = true;
  await rows.query(
    `begin; set local session_replication_role = replica;
     delete from daykey.revocations where subject = 'kept-1'; commit`,
  );
  await look({ later: 61 });
  await insert("meanwhile-");
  await look({ later: 10 });
  expect(liveSet.ageSeconds()).toBe(0);
  expect([isKnown(liveSet, "kept-1"), isKnown(liveSet, "meanwhile-1")]).toEqual([true, true]);
  mayRead.resolve();
  await vi.waitFor(
    async () => {
      await look({ later: 2 });
      expect(isKnown(liveSet, "kept-1")).toBe(false);
    },
    { timeout: 30_000 },
  );
  expect(isKnown(liveSet, "meanwhile-1")).toBe(true);
});

test("a comparison that is not answered holds up no look, and looks go on being fresh", async () => {
  await insert("compared-");
  const isOver = Promise.withResolvers<void>();
  let isHeld = false;
  const { liveSet, look } = await startLiveSet({
    beforeCompare: async () => (isHeld ? isOver.promise : undefined),
  });
  isHeld = true;
  await look({ later: 2 });
  await insert("beside-");
  await look({ later: 10 });
  expect(liveSet.ageSeconds()).toBe(0);
  expect(isKnown(liveSet, "beside-1")).toBe(true);
  isOver.resolve();
});

test("a comparison is about a slice, and slices in turn are the whole set", async () => {
  await rows.query("delete from daykey.revocations");
  await rows.query(
    `insert into daykey.revocations (kind, subject, expires_at)
     select 'grant', 'slice-' || i, now() + interval '10 minutes' + i * interval '0.1 s'
     from generate_series(1, 9000) i
     union all select 'signing_key', 'endless', 'infinity'`,
  );
  const { look } = await startLiveSet();
  const gapsBefore = lines.filter(({ event }) => event === "revocations_gap").length;
  const slices: number[] = [];
  await vi.waitFor(async () => {
    const reads = await look({ later: 2 });
    for (const read of reads) if (read.startsWith("slice")) slices.push(Number(read.slice(6)));
    expect(slices.length).toBeGreaterThan(5);
  });
  expect(Math.max(...slices)).toBeLessThan(2200);
  const round = slices.slice(0, 5).reduce((sum, size) => sum + size);
  expect(round).toBe(9001);
  expect(lines.filter(({ event }) => event === "revocations_gap")).toHaveLength(gapsBefore);
});

test("after a mere restart of the database the set is compared at once and not read again", async () => {
  await insert("before-restart-");
  const { liveSet, look } = await startLiveSet();
  const held = liveSet.current();
  await insert("at-restart-");
  const reads = await look({ isSameOrder: false });
  expect(ofLooks(reads)).toEqual(["since 1"]);
  expect(reads).toContainEqual(expect.stringContaining("slice"));
  expect(liveSet.current()).toBe(held);
  expect(isKnown(liveSet, "at-restart-1")).toBe(true);
});

test("a reread that fails is told and tried again", async () => {
  await insert("reread-");
  let failures = 0;
  const { liveSet, look } = await startLiveSet({
    beforePage: async () => {
      if (failures-- > 0) throw new Error("cut");
    },
  });
  failures = 1;
  let gaps = 0;
  liveSet.onGap(() => void (gaps += 1));
  await rows.query(
    `begin; set local session_replication_role = replica;
     delete from daykey.revocations where subject = 'reread-1'; commit`,
  );
  await vi.waitFor(
    async () => {
      await look({ later: 2 });
      expect(isKnown(liveSet, "reread-1")).toBe(false);
    },
    { timeout: 30_000 },
  );
  expect(lines).toContainEqual(expect.objectContaining({ event: "changes_unread" }));
  expect(gaps).toBe(1);
});

test("numbers of another order mean the whole set, unless it is the same", async () => {
  await insert("lost-", 2);
  const { liveSet, look } = await startLiveSet();
  await rows.query(
    `begin; set local session_replication_role = replica;
     delete from daykey.revocations where subject = 'lost-1'; commit`,
  );
  expect(await look({ isSameOrder: false })).toContainEqual(expect.stringContaining("whole"));
  expect([isKnown(liveSet, "lost-1"), isKnown(liveSet, "lost-2")]).toEqual([false, true]);
});

test("what has expired leaves without a read", async () => {
  const { liveSet, look } = await startLiveSet();
  await insert("short-", 1, "0.3 seconds");
  await look();
  await rows.query("select pg_sleep_for('0.3 s')");
  expect(ofLooks(await look())).toEqual([]);
  expect(isKnown(liveSet, "short-1")).toBe(false);
});
