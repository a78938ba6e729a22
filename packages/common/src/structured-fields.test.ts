/**
 * The vectors of the IETF's HTTP working group (`structured-field-tests`, licence beside them). Those of
 * items are read as the value of a dictionary's member.
 */
import { readdirSync, readFileSync } from "node:fs";

import { expect, test } from "vitest";

import {
  type BareItem,
  type Dictionary,
  isInnerList,
  type Parameters,
  parseDictionary,
  serializeDictionary,
} from "./structured-fields.ts";

type Bare = number | string | boolean | { __type: string; value: string };
type ExpectedItem = [bare: Bare | ExpectedItem[], parameters: [string, Bare][]];

interface Vector {
  name: string;
  raw: string[];
  header_type: "item" | "list" | "dictionary";
  expected?: unknown;
  must_fail?: boolean;
  can_fail?: boolean;
  canonical?: string[];
}

const FOLDER = new URL("../vectors/structured-fields/", import.meta.url);
const VECTORS = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".json"))
  .flatMap((name) => JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")) as Vector[])
  .filter(({ header_type: type }) => type !== "list");

/** Well-formed, and refused here: a decimal, or a key that stands there twice. */
const isRefusedHere = ({ name, raw }: Vector): boolean =>
  /\d\.\d/.test(raw.join()) || name === "duplicate key dictionary";

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

function fromBase32(text: string): number[] {
  const bits = Array.from(text.replaceAll("=", ""), (digit) =>
    BASE32.indexOf(digit).toString(2).padStart(5, "0"),
  ).join("");
  return bits.match(/.{8}/g)?.map((byte) => Number.parseInt(byte, 2)) ?? [];
}

function bareOf(value: BareItem): unknown {
  if (value instanceof Uint8Array) return { binary: [...value] };
  return typeof value === "object" ? { token: value.token } : value;
}

function expectedBare(bare: Bare): unknown {
  if (typeof bare !== "object") return bare;
  const { __type: type, value } = bare;
  return { [type]: type === "binary" ? fromBase32(value) : value };
}

const parametersOf = (parameters: Parameters): unknown =>
  Array.from(parameters, ([key, value]) => [key, bareOf(value)]);

function readable(dictionary: Dictionary): unknown {
  return Array.from(dictionary, ([key, member]) => [
    key,
    isInnerList(member)
      ? member.items.map((item) => [bareOf(item.value), parametersOf(item.parameters)])
      : bareOf(member.value),
    parametersOf(member.parameters),
  ]);
}

function expectedOf(members: [string, ExpectedItem][]): unknown {
  const parameters = (of: [string, Bare][]) => of.map(([key, bare]) => [key, expectedBare(bare)]);
  return members.map(([key, [value, own]]) => [
    key,
    Array.isArray(value)
      ? value.map(([bare, its]) => [expectedBare(bare as Bare), parameters(its)])
      : expectedBare(value),
    parameters(own),
  ]);
}

const asMember = ({ header_type: type, raw }: Vector): string =>
  type === "item" ? `k=${raw.join(", ").replace(/^ +/, "")}` : raw.join(", ");

const named = (vectors: Vector[]) => vectors.map((vector) => [vector.name, vector] as const);
const isRefused = (vector: Vector) => vector.must_fail === true || isRefusedHere(vector);
/** Those that a reader may refuse are read here, or refused; either is right. */
const READ = VECTORS.filter((vector) => !isRefused(vector)).filter(
  (vector) => vector.can_fail !== true || parseDictionary(asMember(vector)) !== undefined,
);

test.each(named(VECTORS.filter(isRefused)))("refused: %s", (_name, vector) => {
  expect(parseDictionary(asMember(vector))).toBe(undefined);
});

test.each(named(READ))("read and written: %s", (_name, vector) => {
  const found = parseDictionary(asMember(vector)) ?? new Map();
  const isItem = vector.header_type === "item";
  const expected = isItem ? [["k", vector.expected]] : vector.expected;
  expect(readable(found)).toEqual(expectedOf(expected as [string, ExpectedItem][]));
  const canonical = (vector.canonical ?? vector.raw).join(", ");
  const member = canonical === "?1" ? "k" : `k=${canonical}`;
  expect(serializeDictionary(found)).toBe(isItem ? member : canonical);
});
