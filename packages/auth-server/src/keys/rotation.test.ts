/** Key rotation as pure rules: instances that come by at any time, over any history. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { keyInUse, type KeyTimes, keyTimes, rotationDue, type RotationPolicy } from "./rotation.ts";

const START = 1_800_000_000;

interface Key extends KeyTimes {
  bornAt: number;
}

interface Life {
  /** All keys there ever were, with the time they were removed. */
  keys: (Key & { removedAt: number })[];
  /** Each look of an instance: the keys as they stood after it. */
  looks: { at: number; kept: Key[] }[];
}

/** What instances do that look at the keys after each pause. */
function live(policy: RotationPolicy, pauses: readonly number[]): Life {
  const life: Life = { keys: [], looks: [] };
  let kept: Key[] = [];
  let at = START;
  for (const pause of pauses) {
    at += pause;
    const { create, remove } = rotationDue(kept, policy, at);
    for (const key of life.keys) if (remove.includes(key.kid)) key.removedAt = at;
    kept = kept.filter((key) => !remove.includes(key.kid));
    if (create) {
      // Kids are in no order.
      const kid = `${(life.keys.length * 7919) % 1000}-${life.keys.length}`;
      const key = { kid, algorithm: policy.algorithm, activeAt: create.activeAt, bornAt: at };
      kept.push(key);
      life.keys.push({ ...key, removedAt: Infinity });
    }
    life.looks.push({ at, kept });
  }
  return life;
}

const policies: fc.Arbitrary<RotationPolicy> = fc.record({
  algorithm: fc.constant("ES256"),
  rotateEverySeconds: fc.integer({ min: 60, max: 5000 }),
  aheadSeconds: fc.integer({ min: 60, max: 3000 }),
  keepSeconds: fc.integer({ min: 0, max: 8000 }),
});
const pauses = fc.array(fc.oneof(fc.constant(60), fc.integer({ min: 1, max: 4000 })), {
  minLength: 1,
  maxLength: 80,
});

/** The spans in which each key signs, and how: asked second by second at what can matter. */
function signerAt(life: Life, at: number): Key | undefined {
  const known = life.keys.filter((key) => key.bornAt <= at && key.removedAt > at);
  return keyInUse(known, at);
}

test("a key is always published ≥ ahead before it signs, but for the very first", () => {
  fc.assert(
    fc.property(policies, pauses, (policy, times) => {
      const life = live(policy, times);
      const [first, ...others] = life.keys;
      expect(first).toMatchObject({ activeAt: first?.bornAt });
      for (const key of others) {
        expect(key.activeAt - key.bornAt).toBeGreaterThanOrEqual(policy.aheadSeconds);
        expect(signerAt(life, key.activeAt - 0.001)).not.toEqual(key);
      }
    }),
  );
});

test("a key is kept ≥ keep after it has signed last, and goes at the first look after", () => {
  fc.assert(
    fc.property(policies, pauses, (policy, times) => {
      const life = live(policy, times);
      for (const [i, key] of life.keys.entries()) {
        const lastUseAt = life.keys[i + 1]?.activeAt ?? Infinity;
        expect(key.removedAt).toBeGreaterThanOrEqual(lastUseAt + policy.keepSeconds);
        const due = life.looks.find(({ at }) => at >= lastUseAt + policy.keepSeconds);
        expect(key.removedAt).toBe(due?.at ?? Infinity);
      }
    }),
  );
});

test("there is always a key to sign with, and no key signs for longer than it must", () => {
  fc.assert(
    fc.property(policies, pauses, (policy, times) => {
      const life = live(policy, times);
      for (const [i, { at, kept }] of life.looks.entries()) {
        const key = keyInUse(kept, at);
        expect(key).toBeDefined();
        if (i === 0) continue;
        const next = life.keys.find(({ activeAt }) => activeAt > (key?.activeAt ?? 0));
        // Looked at on time, the successor was born as soon as it was due.
        const dueAt = (key?.activeAt ?? 0) + policy.rotateEverySeconds - policy.aheadSeconds;
        expect(at < dueAt || next !== undefined).toBe(true);
      }
    }),
  );
});

test("instances that look one after another, or again, change nothing", () => {
  fc.assert(
    fc.property(policies, pauses, (policy, times) => {
      for (const { at, kept } of live(policy, times).looks) {
        // With an interval below the time ahead, one key is due at a time and the next at once.
        if (policy.rotateEverySeconds <= policy.aheadSeconds) continue;
        expect(rotationDue(kept, policy, at)).toEqual({ create: undefined, remove: [] });
      }
    }),
  );
});

const sets = fc.uniqueArray(
  fc.record({
    kid: fc.stringMatching(/^[a-z0-9]{3}$/),
    algorithm: fc.constantFrom("ES256", "RS256"),
    activeAt: fc.integer({ min: START, max: START + 20 }),
  }),
  { selector: ({ kid }) => kid, minLength: 1, maxLength: 6 },
);

test("two instances that know the same keys, in any order, use the same one at any instant", () => {
  fc.assert(
    fc.property(
      sets.chain((keys) =>
        fc.tuple(fc.constant(keys), fc.shuffledSubarray(keys, { minLength: keys.length })),
      ),
      fc.integer({ min: START - 5, max: START + 25 }),
      ([keys, shuffled], at) => {
        expect(keyInUse(shuffled, at)).toEqual(keyInUse(keys, at));
      },
    ),
  );
});

test("the latest active key is used; before any is active, the first to become so", () => {
  const key = (kid: string, activeAt: number): KeyTimes => ({ kid, algorithm: "ES256", activeAt });
  const keys = [key("b", 20), key("a", 10), key("c", 30), key("d", 30)];
  for (const [at, kid] of [
    [0, "a"],
    [10, "a"],
    [19.9, "a"],
    [20, "b"],
    [30, "d"],
    [99, "d"],
  ] as const) {
    expect(keyInUse(keys, at)?.kid, `at ${at}`).toBe(kid);
  }
  expect(keyInUse([], 0)).toBeUndefined();
});

test("another algorithm: one new key, ≥ ahead from now, which is the last word", () => {
  fc.assert(
    fc.property(
      sets,
      policies,
      fc.integer({ min: START - 9000, max: START + 9000 }),
      (keys, policy, at) => {
        const { create, remove } = rotationDue(keys, { ...policy, algorithm: "Ed25519" }, at);
        if (!create) throw new Error("no key is made");
        expect(create.activeAt).toBeGreaterThanOrEqual(at + policy.aheadSeconds);
        const after = [
          ...keys.filter(({ kid }) => !remove.includes(kid)),
          { kid: "", algorithm: "Ed25519", activeAt: create.activeAt },
        ];
        expect(keyInUse(after, Infinity)?.algorithm).toBe("Ed25519");
        const again = rotationDue(
          after,
          { ...policy, algorithm: "Ed25519", rotateEverySeconds: 1e6 },
          at,
        );
        expect(again.create).toBeUndefined();
      },
    ),
  );
});

test("a clock set back removes nothing early and makes at most what is due", () => {
  const policy = {
    algorithm: "ES256",
    rotateEverySeconds: 1000,
    aheadSeconds: 100,
    keepSeconds: 50,
  };
  const keys = [
    { kid: "a", algorithm: "ES256", activeAt: START },
    { kid: "b", algorithm: "ES256", activeAt: START + 1000 },
  ];
  const none = { create: undefined, remove: [] };
  expect(rotationDue(keys, policy, START - 1e6)).toEqual(none);
  expect(rotationDue(keys, policy, START + 1049)).toEqual(none);
  expect(rotationDue(keys, policy, START + 1050)).toEqual({ create: undefined, remove: ["a"] });
});

test("the next key is due when it was planned, or when the one in use has had its time", () => {
  const policy = { algorithm: "a", rotateEverySeconds: 100, aheadSeconds: 10, keepSeconds: 10 };
  const key = (activeAt: number): KeyTimes => ({ kid: `k${activeAt}`, algorithm: "a", activeAt });
  expect(keyTimes([], policy, 0)).toBeUndefined();
  expect(keyTimes([key(0)], policy, 250)).toEqual({ usedSince: 0, nextAt: 100 });
  expect(keyTimes([key(0), key(60)], policy, 50)).toEqual({ usedSince: 0, nextAt: 60 });
  expect(keyTimes([key(0), key(60)], policy, 70)).toEqual({ usedSince: 60, nextAt: 160 });
});
