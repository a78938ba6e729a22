/**
 * The argument of docs/explanation/the-hash.md in symbols: what each enemy can compute, and nothing more.
 * Then the construction is weakened, one part at a time, and the search has to find what that gives away.
 */
import { createHash, createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import vectors from "../vectors/secret-hash.json" with { type: "json" };
import { bytesOf, derivable, known, secret, type Term, value, xor } from "../test/deduction.ts";
import { toHex, utf8 } from "./bytes.ts";
import { dayKeyMessage, oneTimeMessage } from "./secret-hash.ts";

type Day = "yesterday" | "today" | "tomorrow";
const DAYS: readonly Day[] = ["yesterday", "today", "tomorrow"];

const ROOT = secret("root");
const H = (key: Term, message: Term): Term => value("H", key, message);
const S = (message: Term): Term => value("S", message);

/** The parts of the construction that can be weakened. */
interface Parts {
  dayKey(day: Day): Term;
  verifier(day: Day): Term;
  /** The message of a one-time proof to an issuer. */
  message(day: Day, nonce: string, issuer: string): Term;
  mask(day: Day, message: Term): Term;
  /** The seed of the day's DPoP key. */
  seed(day: Day): Term;
}

/** As built (docs/protocol.md §1), with `weak` in the place of its parts. */
function construct(weak: (parts: Parts) => Partial<Parts> = () => ({})) {
  const parts: Parts = {
    dayKey: (day) => H(ROOT, known(`date and salt of ${day}`)),
    verifier: (day) => S(parts.dayKey(day)),
    message: (day, nonce, issuer) => known(`once ${day} ${nonce} ${issuer}`),
    mask: (day, message) => H(parts.verifier(day), message),
    seed: (day) => value("HKDF", parts.dayKey(day), known("daykey-dpop-v1")),
  };
  Object.assign(parts, weak({ ...parts }));
  const proof = (day: Day, nonce: string, issuer = "ours"): Term =>
    xor(parts.dayKey(day), parts.mask(day, parts.message(day, nonce, issuer)));
  return { ...parts, proof, seedHash: (day: Day) => value("HMAC-SHA-1", ROOT, known(day)) };
}
type Construction = ReturnType<typeof construct>;

/** What no one but the client should be able to make. */
const goals = (c: Construction) => ({
  "the root": ROOT,
  "yesterday's day key": c.dayKey("yesterday"),
  "today's day key": c.dayKey("today"),
  "tomorrow's day key": c.dayKey("tomorrow"),
  "a new proof for today": c.proof("today", "a nonce of the enemy's"),
  "a new proof for tomorrow": c.proof("tomorrow", "a nonce of the enemy's"),
  "today's DPoP key": c.seed("today"),
  "tomorrow's DPoP key": c.seed("tomorrow"),
});
type Goal = keyof ReturnType<typeof goals>;

const TODAYS: Goal[] = ["today's day key", "a new proof for today", "today's DPoP key"];
const ALL = Object.keys(goals(construct())) as Goal[];

/** All that is stored of a secret. The salt is public. */
const database = (c: Construction): Term[] =>
  DAYS.flatMap((day) => [c.verifier(day), S(c.seedHash(day))]);
/** Two proofs of each day up to today, and what bound requests show of the DPoP keys. */
const proofs = (c: Construction): Term[] =>
  (["yesterday", "today"] as const).flatMap((day) => [
    c.proof(day, "nonce 1"),
    c.proof(day, "nonce 2"),
    value("public key", c.seed(day)),
    value("signature", c.seed(day), known("a request")),
  ]);
const dayForms = (c: Construction): Term[] => [c.dayKey("today")];

const ENEMIES = {
  "the database": database,
  "the traffic of a client that uses the one-time form": proofs,
  "today's traffic of a client that uses the day form": dayForms,
  "the traffic of a client that uses the seed-compatible hash": (c) => DAYS.map(c.seedHash),
  "the database and the traffic of the one-time form": (c) => [...database(c), ...proofs(c)],
  "the database and today's traffic of the day form": (c) => [...database(c), ...dayForms(c)],
  "a copy of the database, at another server that the client uses today": (c) => [
    ...database(c),
    c.proof("today", "nonce 1", "another issuer"),
  ],
  "the running server, today": (c) => [
    ...database(c),
    ...dayForms(c),
    c.proof("today", "nonce 1"),
    value("public key", c.seed("today")),
    secret("master key"),
    secret("enumeration key"),
  ],
  "yesterday's day key and the traffic of the one-time form": (c) => [
    c.dayKey("yesterday"),
    ...proofs(c),
  ],
  "a published SHA-256 of the secret": () => [S(ROOT)],
  "the traffic of Basic or post": () => [ROOT],
} satisfies Record<string, (c: Construction) => Term[]>;
type Enemy = keyof typeof ENEMIES;

const given = (enemy: Enemy, c = construct()): Goal[] => derivable(ENEMIES[enemy](c), goals(c));

test.each<[Enemy, Goal[]]>([
  ["the database", []],
  ["the traffic of a client that uses the one-time form", []],
  ["today's traffic of a client that uses the day form", TODAYS],
  ["the traffic of a client that uses the seed-compatible hash", []],
  ["the database and the traffic of the one-time form", ["yesterday's day key", ...TODAYS]],
  ["the database and today's traffic of the day form", TODAYS],
  ["a copy of the database, at another server that the client uses today", TODAYS],
  ["the running server, today", TODAYS],
  ["yesterday's day key and the traffic of the one-time form", ["yesterday's day key"]],
  ["a published SHA-256 of the secret", []],
  ["the traffic of Basic or post", ALL],
])("C16: from %s follows this and nothing more: %s", (enemy, expected) => {
  expect(given(enemy)).toEqual(expected);
});

/** Proofs that an enemy could send, made of nothing but proofs that were seen. */
const sendable = (c: Construction) =>
  derivable(proofs(c), {
    "at another issuer": c.proof("today", "nonce 1", "another"),
    "with another nonce": c.proof("today", "nonce 3"),
    "on another day": c.proof("tomorrow", "nonce 1"),
  });

test("C16: a proof that was seen makes none for another issuer, with another nonce or on another day", () =>
  expect(sendable(construct())).toEqual([]));

test.each<[string, string, Parts["message"]]>([
  ["the issuer", "at another issuer", (day, nonce) => known(`once ${day} ${nonce}`)],
  ["the nonce", "with another nonce", (day, _nonce, issuer) => known(`once ${day} ${issuer}`)],
])("without %s in its message a proof is good %s, and that is found", (_part, where, message) =>
  expect(sendable(construct(() => ({ message })))).toEqual([where]),
);

const WEAKENED: readonly [string, Enemy, Goal[], (parts: Parts) => Partial<Parts>][] = [
  [
    "the day key itself is stored",
    "the database",
    ALL.slice(1),
    ({ dayKey }) => ({ verifier: dayKey }),
  ],
  [
    "the mask's key is public",
    "the traffic of a client that uses the one-time form",
    ["yesterday's day key", ...TODAYS],
    () => ({ mask: (_day, message) => H(known("salt"), message) }),
  ],
  [
    "one mask covers every proof of a day",
    "the traffic of a client that uses the one-time form",
    ["a new proof for today"],
    () => ({ message: (day) => known(day) }),
  ],
  [
    "one mask covers every day",
    "yesterday's day key and the traffic of the one-time form",
    ["yesterday's day key", ...TODAYS],
    () => ({ mask: () => S(ROOT) }),
  ],
  [
    "HMAC hashes the secret first, as it does with one longer than its block",
    "a published SHA-256 of the secret",
    ALL.slice(1),
    () => ({ dayKey: (day) => H(S(ROOT), known(`date and salt of ${day}`)) }),
  ],
  [
    "day keys are the root under a public mask",
    "today's traffic of a client that uses the day form",
    ALL,
    () => ({ dayKey: (day) => xor(ROOT, S(known(day))) }),
  ],
  [
    "the next day's key is the hash of this one's",
    "today's traffic of a client that uses the day form",
    ALL.slice(2),
    () => ({
      dayKey: (day) => DAYS.slice(0, DAYS.indexOf(day)).reduce((key) => S(key), S(ROOT)),
    }),
  ],
  [
    "the date is not in the day key",
    "today's traffic of a client that uses the day form",
    ALL.slice(1),
    () => ({ dayKey: () => H(ROOT, known("salt")) }),
  ],
  [
    "the DPoP key is made from the verifier",
    "the database",
    ["today's DPoP key", "tomorrow's DPoP key"],
    ({ verifier }) => ({ seed: (day) => value("HKDF", verifier(day), known("daykey-dpop-v1")) }),
  ],
  [
    "the DPoP key is the mask of a known message",
    "the database",
    ["today's DPoP key", "tomorrow's DPoP key"],
    ({ verifier }) => ({ seed: (day) => H(verifier(day), known("daykey-dpop-v1")) }),
  ],
];

test.each(WEAKENED)("if %s, it is found that %s gives: %s", (_name, enemy, expected, weak) => {
  expect(given(enemy, construct(weak))).toEqual(expected);
});

describe("the search itself", () => {
  const [a, b, c] = ["a", "b", "c"].map(secret) as [Term, Term, Term];
  test.each<[string, Term[], boolean]>([
    ["is not known by itself", [], false],
    ["is not known by its hash", [S(a)], false],
    ["is not known by a sum with what is unknown", [xor(a, b)], false],
    ["is known by a sum with what is known", [xor(a, b), b], true],
    ["is known by a sum with what can be hashed", [xor(a, S(S(b))), b], true],
    ["is known by two sums that share a term", [xor(a, b), xor(b, c), c], true],
    ["is not known by two sums that share a term with it", [xor(a, b), xor(a, c)], false],
    [
      "is known by a mask whose key comes out of another sum",
      [xor(a, H(b, known("m"))), xor(b, c), c],
      true,
    ],
    ["is not known by a mask whose key is unknown", [xor(a, H(b, c)), c], false],
    ["is known by the third of three sums", [xor(a, b, c), xor(a, b), xor(a, c)], true],
  ])("a term %s", (_name, seen, expected) => {
    expect(derivable(seen, { a })).toEqual(expected ? ["a"] : []);
  });

  test("a term that is added to itself is nothing, and nothing adds nothing", () => {
    expect(xor(a, b, a)).toEqual(b);
    expect(derivable([], { nothing: xor(a, a), b: xor(b, xor(c, c)) })).toEqual(["nothing"]);
  });
});

test.each(vectors.once)("the terms are those of the program: the proof at $when", (vector) => {
  const { issuer, client_id: clientId, kid, when, nonce } = vector;
  const messages: Record<string, Uint8Array> = {
    root: utf8(vectors.client.client_secret),
    "date and salt of today": dayKeyMessage(when.slice(0, 10), vectors.client.salt),
    "once today nonce 1 ours": oneTimeMessage({ issuer, clientId, kid, when, nonce }),
  };
  const proof = bytesOf(construct().proof("today", "nonce 1"), {
    atom: (name) => messages[name] ?? new Uint8Array(),
    apply: (of, [first = new Uint8Array(), message = new Uint8Array()]) =>
      of === "S"
        ? createHash("sha256").update(first).digest()
        : createHmac("sha256", first).update(message).digest(),
  });
  expect(toHex(proof)).toBe(vector.proof);
});
