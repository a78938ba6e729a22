/** The live set before a store that answers when, and what, each test says. */
import { createTestLog } from "@daykey/service/test/log";
import { expect, test } from "vitest";
import { createLiveSet, type LiveSet } from "./live-set.ts";
import type { NumberedRevocation, RevocationsStore } from "./revocations-store.ts";

const entry = (subject: string, change: number): NumberedRevocation => ({
  kind: "grant",
  subject,
  epoch: undefined,
  expiresAt: undefined,
  change,
});

type News = Awaited<ReturnType<RevocationsStore["since"]>>;
type Page = readonly NumberedRevocation[];

/** By default nothing is new, all is the same, and a whole read has one row. */
function startLiveSet() {
  let now = 0;
  const given = {
    wholeReads: 0,
    pages: async (): Promise<Page> => [entry("old", 1)],
    news: async (from: number): Promise<News> => ({ entries: [], readTo: from, hasMore: false }),
    isSame: async (): Promise<boolean> => true,
  };
  const store = {
    async *live() {
      given.wholeReads += 1;
      yield await given.pages();
    },
    since: async (from: number) => given.news(from),
    isSlice: async () => given.isSame(),
  } as unknown as RevocationsStore;
  const { log } = createTestLog();
  const liveSet = createLiveSet(store, { log, elapsed: () => now });
  const told: string[] = [];
  liveSet.subscribe((added) => told.push(...added.map(({ subject }) => subject)));
  /** A look, and all that it began beside itself as far as it gets. */
  const look = async (last: number, { later = 2, isSameOrder = true } = {}): Promise<void> => {
    now += later;
    await liveSet.look({ last, databaseNow: 0, isSameOrder });
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  };
  const pass = (seconds: number): void => void (now += seconds);
  return { liveSet, given, told, look, pass };
}

const known = ({ current }: LiveSet): string[] =>
  [...current().entries()].map(({ subject }) => subject).toSorted();

/** Two comparisons that fail are a gap, and the next look begins to read the whole set. */
async function findGap({ given, look }: ReturnType<typeof startLiveSet>): Promise<void> {
  await look(1);
  given.isSame = async () => false;
  await look(1);
  await look(1);
  given.isSame = async () => true;
}

test("what comes while the whole set is read is in the new one too, what was missing is told, and it is read once", async () => {
  const started = startLiveSet();
  const { liveSet, given, told, look } = started;
  const page = Promise.withResolvers<Page>();
  await findGap(started);
  given.pages = () => page.promise;
  await look(1);
  given.news = async () => ({ entries: [entry("news", 3)], readTo: 3, hasMore: false });
  await look(3);
  expect(known(liveSet)).toEqual(["news", "old"]);
  page.resolve([entry("old", 1), entry("missed", 2)]);
  await look(3);
  expect(known(liveSet)).toEqual(["missed", "news", "old"]);
  expect(told).toEqual(["old", "news", "missed"]);
  for (let n = 0; n < 5; n++) await look(3);
  expect(given.wholeReads).toBe(2);
});

test("a read of the whole set that stalls is begun anew, and what it brings at last is passed over", async () => {
  const started = startLiveSet();
  const { liveSet, given, look } = started;
  await findGap(started);
  const late = Promise.withResolvers<Page>();
  given.pages = () => late.promise;
  await look(1);
  given.pages = async () => [entry("new", 2)];
  await look(1, { later: 31 });
  expect([given.wholeReads, known(liveSet)]).toEqual([3, ["new"]]);
  late.resolve([entry("stale", 1)]);
  await look(1);
  expect(known(liveSet)).toEqual(["new"]);
});

test("one that fails is begun anew by the next look", async () => {
  const started = startLiveSet();
  const { given, look } = started;
  await findGap(started);
  given.pages = async () => {
    throw new Error("cut");
  };
  await look(1);
  given.pages = async () => [entry("new", 2)];
  await look(1);
  expect([given.wholeReads, known(started.liveSet)]).toEqual([3, ["new"]]);
});

test("all pages of news are read", async () => {
  const { liveSet, given, look } = startLiveSet();
  await look(1);
  given.news = async (from) =>
    from === 1
      ? { entries: [entry("first", 2)], readTo: 2, hasMore: true }
      : { entries: [entry("second", 3)], readTo: 3, hasMore: false };
  await look(3);
  expect(known(liveSet)).toEqual(["first", "old", "second"]);
});

test("a number beyond the last one belongs to another order: the whole set is read", async () => {
  const { given, look } = startLiveSet();
  await look(5);
  await look(3);
  expect(given.wholeReads).toBe(2);
});

test("another order counts until it was read, also when the first look at it fails", async () => {
  const { given, look } = startLiveSet();
  await look(1);
  given.isSame = async () => {
    throw new Error("cut");
  };
  await expect(look(1, { isSameOrder: false })).rejects.toThrow("cut");
  await look(1);
  expect(given.wholeReads).toBe(2);
});

test("what was read is as old as the moment at which its reading began", async () => {
  const { liveSet, given, look, pass } = startLiveSet();
  await look(1);
  given.news = async (from) => {
    pass(3);
    return { entries: [], readTo: from + 1, hasMore: false };
  };
  await look(2);
  expect(liveSet.ageSeconds()).toBe(3);
});
