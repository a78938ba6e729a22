import { createGroupCommit, StoreOverloaded } from "@daykey/common/group-commit";
import { expect, test } from "vitest";

import { createTestDatabase } from "../../test/database.ts";
import { createTestLog } from "../../test/log.ts";
import { createDatabase } from "./database.ts";

/** A flush that waits for `finish` and remembers its batches. */
function slowFlush() {
  const batches: string[][] = [];
  const finishers: ((outcome?: Error) => void)[] = [];
  return {
    batches,
    async finish(outcome?: Error) {
      finishers.shift()?.(outcome);
      await new Promise((resolve) => setImmediate(resolve));
    },
    flush(batch: string[]): Promise<string[]> {
      batches.push(batch);
      return new Promise((resolve, reject) => {
        finishers.push((outcome) => {
          if (outcome) reject(outcome);
          else resolve(batch.map((item) => item.toUpperCase()));
        });
      });
    },
  };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("an item that comes alone is flushed at once; those that come meanwhile share the next", async () => {
  const slow = slowFlush();
  const commit = createGroupCommit({ flush: slow.flush });
  const results = [commit("a")];
  await turn();
  results.push(commit("b"), commit("c"));
  await turn();
  expect(slow.batches).toEqual([["a"]]);
  await slow.finish();
  expect(slow.batches).toEqual([["a"], ["b", "c"]]);
  await slow.finish();
  expect(await Promise.all(results)).toEqual(["A", "B", "C"]);
});

test("a batch holds a key once; the second waits, and those behind it do not", async () => {
  const slow = slowFlush();
  const commit = createGroupCommit({ flush: slow.flush, keyOf: (item) => item.slice(0, 1) });
  const results = Promise.all(["a1", "a2", "b1", "a3"].map(commit));
  for (let batch = 0; batch < 3; batch += 1) {
    await turn();
    await slow.finish();
  }
  expect(slow.batches).toEqual([["a1", "b1"], ["a2"], ["a3"]]);
  expect(await results).toEqual(["A1", "A2", "B1", "A3"]);
});

test("a batch is not larger than allowed, with and without keys", async () => {
  for (const keyOf of [undefined, (item: string) => item]) {
    const slow = slowFlush();
    const commit = createGroupCommit({ flush: slow.flush, maxBatch: 2, ...(keyOf && { keyOf }) });
    const results = Promise.all(["a", "b", "c", "d", "e"].map(commit));
    for (let batch = 0; batch < 3; batch += 1) {
      await turn();
      await slow.finish();
    }
    expect(slow.batches).toEqual([["a", "b"], ["c", "d"], ["e"]]);
    await results;
  }
});

test("a failed flush fails each of its items and no other", async () => {
  const slow = slowFlush();
  const commit = createGroupCommit({ flush: slow.flush, maxBatch: 2 });
  const results = Promise.allSettled(["a", "b", "c"].map(commit));
  await turn();
  const failure = new Error("disk full");
  await slow.finish(failure);
  await slow.finish();
  expect(await results).toEqual([
    { status: "rejected", reason: failure },
    { status: "rejected", reason: failure },
    { status: "fulfilled", value: "C" },
  ]);
});

test("a flush that throws at once, or miscounts, fails its items and the next batch goes on", async () => {
  let call = 0;
  const commit = createGroupCommit<string, string>({
    maxBatch: 1,
    flush(batch) {
      call += 1;
      if (call === 1) throw new RangeError("at once");
      return Promise.resolve(call === 2 ? [] : batch);
    },
  });
  const results = await Promise.allSettled(["a", "b", "c"].map(commit));
  expect(results).toMatchObject([
    { reason: new RangeError("at once") },
    { reason: new TypeError("flush: one result an item is due") },
    { value: "c" },
  ]);
});

test("D4: what cannot wait any more is refused", async () => {
  const slow = slowFlush();
  const commit = createGroupCommit({ flush: slow.flush, maxWaiting: 2 });
  const first = commit("a");
  await turn();
  const waiting = [commit("b"), commit("c")];
  await expect(commit("d")).rejects.toThrow(StoreOverloaded);
  await slow.finish();
  await slow.finish();
  expect(await Promise.all([first, ...waiting])).toEqual(["A", "B", "C"]);
});

test("over PostgreSQL, many items take few commits, and equal keys are told apart", async () => {
  const home = await createTestDatabase({ empty: true });
  await home.query("create table used (key text primary key)");
  await home.query("grant all on used to daykey_app");
  const database = createDatabase({ connectionString: home.appUrl, log: createTestLog().log });
  let flushes = 0;
  const use = createGroupCommit<string, boolean>({
    keyOf: (key) => key,
    async flush(batch) {
      flushes += 1;
      const { rows } = await database.query<{ key: string }>({
        text: "insert into used select unnest($1::text[]) on conflict do nothing returning key",
        values: [batch],
      });
      const inserted = new Set(rows.map(({ key }) => key));
      return batch.map((key) => inserted.has(key));
    },
  });
  const keys = Array.from({ length: 1000 }, (_, index) => `key ${index % 500}`);
  const results = await Promise.all(keys.map(use));
  expect(results.filter(Boolean)).toHaveLength(500);
  expect(await home.query("select count(*)::int as n from used")).toEqual([{ n: 500 }]);
  expect(flushes).toBeLessThan(10);
  await database.close();
  await home.drop();
});
