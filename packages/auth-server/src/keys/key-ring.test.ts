/** The key ring over a real database: first start, rotation, another master key, several instances. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createLocalJWKSet, jwtVerify } from "jose";
import type { AccessTokenClaims } from "@daykey/common/access-token";
import type { SigningAlgorithm } from "@daykey/common/protocol";
import { createDatabase, type Database } from "@daykey/service/database/database";
import { createTestDatabase, type TestDatabase } from "@daykey/service/test/database";
import { createTestLog } from "@daykey/service/test/log";
import { createKeyRing, type KeyRing } from "./key-ring.ts";
import { createKeysStore, KEY_PURPOSES } from "./keys-store.ts";
import { openMasterKey } from "./master-key.ts";
import { CannotUnseal, createSealer } from "./sealing.ts";

const START = 1_800_000_000;
const HOUR = 3600;
const MASTER = createHash("sha256").update("one").digest("hex");
const OTHER_MASTER = createHash("sha256").update("two").digest("hex");

let rows: TestDatabase;
let database: Database;
let now: number;
const log = createTestLog();
beforeAll(async () => {
  rows = await createTestDatabase();
  database = createDatabase({ connectionString: rows.appUrl, log: createTestLog().log, max: 8 });
});
beforeEach(async () => {
  await rows.query("truncate daykey.keys");
  log.lines.length = 0;
  now = START;
});
afterAll(async () => {
  await database.close();
  await rows.drop();
});

/** An instance that starts. Signing keys: 24 h, known 3 h ahead, kept 4 h; refresh keys kept 30 h. */
async function start({
  algorithm = "ES256",
  master = MASTER,
  previous,
}: { algorithm?: SigningAlgorithm; master?: string; previous?: string } = {}): Promise<KeyRing> {
  const salt = Buffer.alloc(16);
  return createKeyRing({
    store: createKeysStore(database),
    sealer: createSealer(
      await openMasterKey(master, salt),
      previous === undefined ? undefined : await openMasterKey(previous, salt),
    ),
    policies: {
      accessToken: {
        algorithm,
        rotateEverySeconds: 24 * HOUR,
        aheadSeconds: 3 * HOUR,
        keepSeconds: 4 * HOUR,
      },
      refreshToken: {
        rotateEverySeconds: 24 * HOUR,
        aheadSeconds: HOUR,
        keepSeconds: 30 * HOUR,
      },
      opaqueToken: {
        rotateEverySeconds: 24 * HOUR,
        aheadSeconds: HOUR,
        keepSeconds: 30 * HOUR,
      },
    },
    clock: () => now,
    log: log.log,
  });
}

async function stored(): Promise<Record<string, string[]>> {
  const keys = await rows.query<{ purpose: string; kid: string }>(
    "select purpose, kid from daykey.keys order by active_at",
  );
  const kids = (purpose: string): string[] =>
    keys.filter((key) => key.purpose === purpose).map(({ kid }) => kid);
  return { access_token: kids("access_token"), refresh_token: kids("refresh_token") };
}

const published = (ring: KeyRing): unknown[] => ring.publicJwks().map(({ kid }) => kid);

/** Whether a validator with the keys published now takes a token signed with `by`. */
async function verifies(ring: KeyRing, token: string): Promise<boolean> {
  const keys = createLocalJWKSet({ keys: ring.publicJwks() });
  const options = { currentDate: new Date(now * 1000) };
  return jwtVerify(token, keys, options).then(
    () => true,
    () => false,
  );
}

function claims(): AccessTokenClaims {
  const [iss, aud, sub] = ["https://auth.example.test", "https://api.example.test", "a-client"];
  const iat = Math.floor(now);
  const gid = "01939d5b-2c40-7a1b-8c2d-3e4f5a6b7c8d";
  const times = { iat, exp: iat + HOUR };
  return { iss, aud, sub, client_id: sub, ...times, jti: "j", scope: "a", gid, ep: 0, cred: "c" };
}

test("a key that the server makes or removes by itself has a log line with the reason", async () => {
  const told = () =>
    log.lines.splice(0).map(({ event, purpose, reason }) => [event, purpose, reason]);
  const ring = await start();
  expect(told()).toEqual(KEY_PURPOSES.map((purpose) => ["key_made", purpose, "first_key"]));
  now += 24 * HOUR;
  await ring.rotate();
  expect(told()).toEqual(KEY_PURPOSES.map((purpose) => ["key_made", purpose, "rotation_due"]));
  now += 40 * HOUR;
  await ring.rotate();
  expect(told()).toContainEqual(["key_removed", "opaque_token", "outlived_what_it_made"]);
});

test("four instances that start at once on a fresh database make one key of each kind", async () => {
  const rings = await Promise.all(Array.from({ length: 4 }, () => start()));
  const keys = await stored();
  expect(keys).toEqual({ access_token: [expect.any(String)], refresh_token: [expect.any(String)] });
  for (const ring of rings) {
    expect(ring.signingKey().kid).toBe(keys["access_token"]?.[0]);
    expect(ring.refreshKeyAt(now).kid).toBe(keys["refresh_token"]?.[0]);
  }
  const macs = rings.map((ring) => ring.refreshKeyAt(now).mac("m").toString("hex"));
  expect(new Set(macs).size).toBe(1);
});

test("rotation: next, current and retired keys are published, each instance uses the same", async () => {
  const [one, two] = [await start(), await start()];
  const [first] = published(one);

  now = START + 21 * HOUR - 1;
  await one.rotate();
  expect(published(one)).toEqual([first]);

  now = START + 21 * HOUR;
  await Promise.all([one.rotate(), two.rotate()]);
  await Promise.all([one.reload(), two.reload()]);
  const { access_token: both = [] } = await stored();
  expect(both).toEqual([first, expect.any(String)]);
  const [, second] = both;
  for (const ring of [one, two]) expect(new Set(published(ring))).toEqual(new Set(both));

  now = START + 24 * HOUR - 1;
  const late = one.signingKey().sign(claims());
  for (const ring of [one, two]) expect(ring.signingKey().kid).toBe(first);
  now = START + 24 * HOUR;
  for (const ring of [one, two]) expect(ring.signingKey().kid).toBe(second);
  // Issued before the rotation, verified after it.
  expect(await verifies(two, late)).toBe(true);

  now = START + 28 * HOUR - 1;
  await two.rotate();
  expect(published(two)).toContain(first);
  now = START + 28 * HOUR;
  await two.rotate();
  expect(published(two)).toEqual([second]);
});

test("a refresh-token key is found by its kid as long as the longest grant lives", async () => {
  const ring = await start();
  const first = ring.refreshKeyAt(now).kid;
  now = START + 23 * HOUR;
  await ring.rotate();
  now = START + 24 * HOUR;
  const second = ring.refreshKeyAt(now).kid;
  expect(second).not.toBe(first);
  // A retry gets the key of the instant of issue, whenever it comes.
  expect(ring.refreshKeyAt(START + 24 * HOUR - 1).kid).toBe(first);
  now = START + 54 * HOUR - 1;
  await ring.rotate();
  expect((await ring.refreshKey(first))?.kid).toBe(first);
  now = START + 54 * HOUR;
  await ring.rotate();
  expect(await ring.refreshKey(first)).toBeUndefined();
  expect((await ring.refreshKey(second))?.kid).toBe(second);
});

test("a key another instance has just made is looked up once before it is refused", async () => {
  const [one, two] = [await start(), await start()];
  now = START + 23 * HOUR;
  await one.rotate();
  const kid = one.refreshKeyAt(START + 24 * HOUR).kid;
  // Whoever asks while the look is under way gets its answer.
  const found = await Promise.all(Array.from({ length: 5 }, () => two.refreshKey(kid)));
  expect(found.map((key) => key?.kid)).toEqual(Array.from({ length: 5 }, () => kid));
  expect(await two.refreshKey("zzzzzzzz")).toBeUndefined();
});

test("unknown key ids cost the database one look a second", async () => {
  let looks = 0;
  const query: Database["query"] = (asked) => {
    if (asked.text.includes("from daykey.keys")) looks++;
    return database.query(asked);
  };
  const store = createKeysStore({ ...database, query });
  const salt = Buffer.alloc(16);
  const [rotateEverySeconds, aheadSeconds, keepSeconds] = [24 * HOUR, HOUR, HOUR];
  const policy = { rotateEverySeconds, aheadSeconds, keepSeconds };
  const ring = await createKeyRing({
    store,
    sealer: createSealer(await openMasterKey(MASTER, salt)),
    policies: {
      accessToken: { ...policy, algorithm: "ES256" },
      refreshToken: policy,
      opaqueToken: policy,
    },
    clock: () => now,
    log: log.log,
  });
  looks = 0;
  const ask = (): Promise<unknown[]> =>
    Promise.all(Array.from({ length: 50 }, (_, i) => ring.refreshKey(`zzzzzz${10 + i}`)));
  await ask();
  await ask();
  expect(looks).toBe(1);
  now += 1;
  await ask();
  expect(looks).toBe(2);
  // A clock set back does not stop the looking.
  now -= HOUR;
  await ask();
  expect(looks).toBe(3);
});

test("a read of the keys that ends late does not undo a later one", async () => {
  const released = Promise.withResolvers<void>();
  let held: Promise<void> | undefined;
  const store = createKeysStore(database);
  const policy = { rotateEverySeconds: 24 * HOUR, aheadSeconds: HOUR, keepSeconds: HOUR };
  const ring = await createKeyRing({
    store: {
      ...store,
      async all() {
        const wait = held;
        const keys = await store.all();
        await wait;
        return keys;
      },
    },
    sealer: createSealer(await openMasterKey(MASTER, Buffer.alloc(16))),
    policies: {
      accessToken: { ...policy, algorithm: "ES256" },
      refreshToken: policy,
      opaqueToken: policy,
    },
    clock: () => now,
    log: log.log,
  });
  held = released.promise;
  const slow = ring.reload();
  held = undefined;
  now = START + 23 * HOUR;
  await ring.rotate();
  const keys = published(ring);
  expect(keys).toHaveLength(2);
  released.resolve();
  await slow;
  expect(published(ring)).toEqual(keys);
});

test("another master key alone: the start fails with one clear sentence, nothing is changed", async () => {
  await start();
  const before = await rows.query("select * from daykey.keys order by kid");
  const failure = start({ master: OTHER_MASTER });
  await expect(failure).rejects.toThrow(CannotUnseal);
  await expect(failure).rejects.toThrow(
    /^MASTER_KEY is not the key this database was sealed with: keys \S+ wants master key [0-9a-f]{16}, this one is [0-9a-f]{16}$/,
  );
  expect(await rows.query("select * from daykey.keys order by kid")).toEqual(before);
});

test("a new master key beside the previous one: all is sealed anew, and the previous can go", async () => {
  const before = await start();
  const after = await start({ master: OTHER_MASTER, previous: MASTER });
  expect(published(after)).toEqual(published(before));
  const alone = await start({ master: OTHER_MASTER });
  expect(alone.signingKey().kid).toBe(before.signingKey().kid);
  expect(alone.refreshKeyAt(now).mac("m")).toEqual(before.refreshKeyAt(now).mac("m"));
  await expect(start()).rejects.toThrow(CannotUnseal);
  // The instance that still runs with the old one goes on.
  await before.reload();
  expect(before.signingKey().kid).toBe(alone.signingKey().kid);
});

test("a key made under a master key that an instance lacks leaves its other keys in use until it is needed", async () => {
  const old = await start();
  const renewed = await start({ master: OTHER_MASTER, previous: MASTER });
  const [first] = published(old);
  now = START + 23.5 * HOUR;
  await renewed.rotate();
  await old.reload();
  await old.rotate();
  expect(published(renewed)).toHaveLength(2);
  expect(published(old)).toEqual([first]);
  expect(old.signingKey().kid).toBe(first);
  expect(old.fault()).toBeUndefined();
  const kid = published(renewed)[1];
  const told = log.lines.filter(
    (line) => line["event"] === "key_unreadable" && line["kid"] === kid,
  );
  expect(told).toHaveLength(1);

  now = START + 27 * HOUR;
  expect(old.fault()).toBe("sealed by another master key");
  const token = renewed.signingKey().sign(claims());
  const unavailable = { code: "temporarily_unavailable", detail: "key_unreadable" };
  for (const use of [
    () => old.signingKey(),
    () => old.signerOf(token),
    () => old.opaqueKeyOf(renewed.opaqueKey().kid),
    () => old.refreshKeyAt(now),
  ]) {
    expect(use).toThrow(expect.objectContaining(unavailable));
  }
  await expect(old.refreshKey(renewed.refreshKeyAt(now).kid)).rejects.toMatchObject(unavailable);
  expect(old.signerOf(`${token}x`.replace(/^[^.]*/, "e30"))).toBeUndefined();
});

test("a sealed key put into another row does not open", async () => {
  await start();
  await rows.query(
    `update daykey.keys set sealed = (select sealed from daykey.keys where purpose = 'access_token')
     where purpose = 'refresh_token'`,
  );
  await expect(start()).rejects.toThrow(/^the sealed value of keys \S+ was altered or moved$/);
});

test("SIGNING_ALGORITHM changed: published ahead, then it signs; old tokens verify on", async () => {
  const before = await start();
  const [old] = published(before);
  now = START + HOUR;
  const ring = await start({ algorithm: "RS256" });
  expect(ring.signingKey().kid).toBe(old);
  expect(ring.signingAlgorithms().toSorted()).toEqual(["ES256", "RS256"]);
  now = START + 4 * HOUR - 1;
  await ring.rotate();
  const token = ring.signingKey().sign(claims());
  expect(ring.signingKey().algorithm).toBe("ES256");
  now = START + 4 * HOUR;
  expect(ring.signingKey().algorithm).toBe("RS256");
  expect(await verifies(ring, token)).toBe(true);
  expect(published(ring)).toHaveLength(2);
  now = START + 8 * HOUR;
  await ring.rotate();
  expect(ring.signingAlgorithms()).toEqual(["RS256"]);
});
