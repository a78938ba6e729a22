/**
 * C6: checking a credential takes as long for an unknown client as for a known one with a wrong
 * credential. Both are measured in one process, a coin deciding which comes first, and compared by
 * Welch's t-test as dudect does (Reparaz, Balasch, Verbauwhede, "Dude, is my code constant time?"):
 * the slowest tenth of all samples is dropped, since it holds the collector and other processes, and a
 * |t| of 4.5 or more is a difference. A busy machine can reach it by chance, to either side. A real
 * difference reaches it every time, and always to the same side: only eight such measurements in a row
 * fail.
 */
import { randomBytes, randomInt } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatInstant } from "@daykey/common/clock";
import { createDatabase, type Database } from "@daykey/service/database/database";
import { createTestLog } from "@daykey/service/test/log";
import { ISSUER, startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";
import { checkCredential } from "./authenticate-secret-hash.ts";
import { type ClientEntry, createClientCache } from "../clients/client-cache.ts";
import { createClientsStore } from "../clients/clients-store.ts";
import type { SecretCredential } from "./credential.ts";

const SAMPLES = 5000;
const ATTEMPTS = 8;
const THRESHOLD = 4.5;
const KEPT = 0.9;

let server: TestAuthServer;
let database: Database;
let known: { clientId: string; entry: ClientEntry };
let unknown: { clientId: string; entry: ClientEntry };
beforeAll(async () => {
  server = await startAuthServer({ config: { seedHash: true } });
  const { log } = createTestLog();
  database = createDatabase({ connectionString: server.database.appUrl, log });
  const cache = createClientCache({
    store: createClientsStore(database, { issuer: ISSUER, longestGrantSeconds: 0 }),
    clock: server.now,
    enumerationKey: randomBytes(32),
    capacity: 10,
    isStale: () => false,
  });
  const authMethods = ["client_secret_hash_day", "client_secret_hash_seed"] as const;
  const { clientId } = await server.createClient({ authMethods });
  await server.addSecret(clientId);
  const absent = clientId.replace("client", "absent");
  known = { clientId, entry: await cache.find(clientId) };
  unknown = { clientId: absent, entry: await cache.find(absent) };
});
afterAll(async () => {
  await database.close();
  await server.stop();
});

test("the two entries that are compared", () => {
  expect([known.entry.client?.clientId, unknown.entry.client]).toEqual([known.clientId, undefined]);
  const lengths = [known, unknown].map(({ entry }) => entry.slots[0].seedVerifiers[1]?.length);
  expect(lengths).toEqual([32, undefined]);
});

/** Nanoseconds of one check, which must refuse. */
function measure(subject: typeof known, value: string, via: SecretCredential["via"]): number {
  const credential = { via, clientId: subject.clientId, value };
  const context = { issuer: ISSUER, now: server.now() };
  const startedAt = process.hrtime.bigint();
  const proof = checkCredential(credential, subject.entry, context);
  const elapsed = Number(process.hrtime.bigint() - startedAt);
  if (proof) throw new Error("the credential should be wrong");
  return elapsed;
}

function sample(makeValue: () => string, via: SecretCredential["via"]): [number[], number[]] {
  const samples: [number[], number[]] = [[], []];
  const warmUp = SAMPLES / 10;
  for (let i = -warmUp; i < SAMPLES; i++) {
    const value = makeValue();
    const first = randomInt(2);
    for (const which of [first, 1 - first] as (0 | 1)[]) {
      const elapsed = measure(which === 0 ? known : unknown, value, via);
      if (i >= 0) samples[which].push(elapsed);
    }
  }
  return samples;
}

/** Welch's t of the samples that are not among the slowest. */
function welch(samples: [number[], number[]]): number {
  const all = samples.flat().toSorted((a, b) => a - b);
  const limit = all[Math.floor(all.length * KEPT)] ?? Infinity;
  const [a, b] = samples.map((times) => momentsOf(times.filter((time) => time <= limit)));
  if (!a || !b) throw new Error("no samples");
  return (a.mean - b.mean) / Math.sqrt(a.variance / a.count + b.variance / b.count);
}

function momentsOf(times: number[]): { count: number; mean: number; variance: number } {
  const count = times.length;
  const mean = times.reduce((sum, time) => sum + time, 0) / count;
  const variance = times.reduce((sum, time) => sum + (time - mean) ** 2, 0) / (count - 1);
  return { count, mean, variance };
}

/** Whether all of them say that the same one takes longer. */
function isDifference(statistics: readonly number[]): boolean {
  return statistics.every((t) => t >= THRESHOLD) || statistics.every((t) => t <= -THRESHOLD);
}

const hex = (bytes: number): string => randomBytes(bytes).toString("hex");
const WRONG: [name: string, via: SecretCredential["via"], makeValue: () => string][] = [
  ["a day form", "client_secret_hash", () => hex(32)],
  [
    "a one-time hash with the client's kid",
    "client_secret_hash",
    () => `${known.entry.slots[0].kid}.${formatInstant(server.now())}.${hex(16)}.${hex(32)}`,
  ],
  ["no hash at all", "client_secret_hash", () => hex(40)],
  ["a seed-compatible hash", "client_secret_hash", () => hex(20)],
  [
    "a secret in Basic",
    "client_secret_basic",
    () => `dks_${known.entry.slots[0].kid}_${hex(21)}0_${hex(3)}`,
  ],
  ["a day form in Basic", "client_secret_basic", () => hex(32)],
  ["any text in Basic", "client_secret_basic", () => hex(40)],
];

describe("C6: known and unknown take the same time", () => {
  test.each(WRONG)("%s", (_name, via, makeValue) => {
    const statistics: number[] = [];
    while (statistics.length < ATTEMPTS) {
      statistics.push(welch(sample(makeValue, via)));
      if (!isDifference(statistics)) break;
    }
    expect(isDifference(statistics), statistics.join()).toBe(false);
  });
});
