import { expect, test } from "vitest";
import { createPrimary, findPrimary, requirePrimary } from "./primary.ts";

test("of several hosts one is tried after the other, in a circle", () => {
  const primary = createPrimary(
    "postgresql://app:p%40ss@a:5432,b,[::1]:5433/daykey?sslmode=require",
  );
  const seen = Array.from({ length: 4 }, () => {
    const current = primary.current();
    primary.failed(current);
    return current;
  });
  expect(primary.isOneOfMany).toBe(true);
  expect(seen).toEqual([
    "postgresql://app:p%40ss@a:5432/daykey?sslmode=require",
    "postgresql://app:p%40ss@b/daykey?sslmode=require",
    "postgresql://app:p%40ss@[::1]:5433/daykey?sslmode=require",
    "postgresql://app:p%40ss@a:5432/daykey?sslmode=require",
  ]);
});

test("many who find a server gone move on once", () => {
  const primary = createPrimary("postgres://a,b,c/daykey");
  const gone = primary.current();
  for (let i = 0; i < 50; i++) primary.failed(gone);
  expect(primary.current()).toBe("postgres://b/daykey");
});

test("one server stays the one, however its connection string is written", async () => {
  for (const text of [
    "postgresql://app@localhost:5432/daykey?host=%2Frun%2Fpostgresql",
    "postgresql://app@db/daykey?options=-c%20search_path=a,b",
    "host=a,b dbname=daykey",
    "",
  ]) {
    const primary = createPrimary(text);
    primary.failed(text);
    expect(primary.current()).toBe(text);
    expect(primary.isOneOfMany).toBe(false);
    expect(await findPrimary(text)).toBe(text);
  }
});

test("without a primary the last failure is told", async () => {
  const servers = "postgresql://a@127.0.0.1:1,127.0.0.1:2/daykey";
  await expect(findPrimary(servers)).rejects.toMatchObject({ code: "ECONNREFUSED", port: 2 });
});

test("a standby is not the primary, nor is what does not say", async () => {
  const answering = (rows: object[]) => ({ query: async () => ({ rows }) }) as never;
  await expect(requirePrimary(answering([{ standby: true }]))).rejects.toThrow("standby");
  await expect(requirePrimary(answering([]))).rejects.toThrow("standby");
  await requirePrimary(answering([{ standby: false }]));
});
