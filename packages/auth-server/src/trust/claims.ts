/**
 * Claims by path, and what a condition says of them. A path is one member's name, or a JSON Pointer
 * (RFC 6901), in which a dot is a character like any other: `/kubernetes.io/serviceaccount/name`.
 */
import type { JsonObject, JsonValue } from "@daykey/common/json-numbers";

export type ClaimPath = readonly string[];

const NAME = /^[A-Za-z0-9_-]{1,128}$/;
const POINTER = /^(?:\/(?:[^~/\p{Cc}]|~[01])+){1,8}$/u;
const MAX_PATH_LENGTH = 512;

/** Values of an array beyond these are not looked at. */
const MAX_VALUES = 200;
/** A longer value fits no condition. */
const MAX_VALUE_LENGTH = 2048;

/** The member names on the way to a claim, or undefined for what is no path. */
export function parseClaimPath(text: string): ClaimPath | undefined {
  if (NAME.test(text)) return [text];
  if (text.length > MAX_PATH_LENGTH || !POINTER.test(text)) return undefined;
  return text
    .slice(1)
    .split("/")
    .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** What stands there, whatever it is. Only the token's own members count. */
export function claimAt(claims: JsonObject, path: ClaimPath): JsonValue | undefined {
  let value: JsonValue | undefined = claims;
  for (const name of path) {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!isObject || !Object.hasOwn(value as JsonObject, name)) return undefined;
    value = (value as JsonObject)[name];
  }
  return value;
}

/**
 * The texts that conditions are about: the claim's, or each member's of an array. A whole number and a
 * boolean count as they are written in JSON; anything else has no text.
 */
export function textsOf(value: JsonValue | undefined): string[] {
  const values = Array.isArray(value) ? (value as readonly JsonValue[]) : [value];
  return values.slice(0, MAX_VALUES).flatMap((one) => {
    const isWritten = typeof one === "bigint" || typeof one === "boolean";
    const text = isWritten ? String(one) : one;
    return typeof text === "string" && text.length <= MAX_VALUE_LENGTH ? [text] : [];
  });
}

const ANY = 1;
const ANY_BUT_SEPARATORS = 2;

/**
 * What describes the whole of a text: `*` is any characters but `/` and `:`, `**` any at all, and every other
 * character itself.
 */
export interface Glob {
  /** With what every text begins that it describes. */
  prefix: string;
  matches(text: string): boolean;
}

/** What stands before the first star and behind the last is compared at once, and so is told soonest. */
export function compileGlob(glob: string): Glob {
  const steps = stepsOf(glob);
  const isStar = (step: Step): boolean => typeof step === "number";
  const first = steps.findIndex(isStar);
  if (first === -1) return { prefix: glob, matches: (text) => text === glob };
  // Half a pair could meet the other half in a text.
  const isWhole = glob.isWellFormed();
  const last = steps.findLastIndex(isStar);
  const prefix = isWhole ? steps.slice(0, first).join("") : "";
  const suffix = isWhole ? steps.slice(last + 1).join("") : "";
  const between = isWhole ? steps.slice(first, last + 1) : steps;
  const least = prefix.length + suffix.length;
  return {
    prefix,
    matches: (text) =>
      text.length >= least &&
      text.startsWith(prefix) &&
      text.endsWith(suffix) &&
      leadThrough(between, text.slice(prefix.length, text.length - suffix.length)),
  };
}

/**
 * Whether the steps describe the whole of a text. All positions are followed at once, so the time is bounded by
 * the two lengths multiplied, whatever stands there.
 */
function leadThrough(steps: readonly Step[], text: string): boolean {
  // Whether the text so far can have brought one to before this step.
  let reached = new Uint8Array(steps.length + 1);
  let next = new Uint8Array(steps.length + 1);
  reached[0] = 1;
  passStars(reached, steps);
  for (const character of text) {
    let isAlive = false;
    next.fill(0);
    for (const [index, step] of steps.entries()) {
      if (reached[index] !== 1) continue;
      const isStar = typeof step === "number";
      if (!(isStar ? starTakes(step, character) : step === character)) continue;
      next[isStar ? index : index + 1] = 1;
      isAlive = true;
    }
    if (!isAlive) return false;
    passStars(next, steps);
    [reached, next] = [next, reached];
  }
  return reached[steps.length] === 1;
}

type Step = string | typeof ANY | typeof ANY_BUT_SEPARATORS;

function stepsOf(glob: string): Step[] {
  return [...glob.matchAll(/\*+|[^*]/gsu)].map(([part]) => {
    if (!part.startsWith("*")) return part;
    return part.length > 1 ? ANY : ANY_BUT_SEPARATORS;
  });
}

function starTakes(star: number, character: string): boolean {
  return star === ANY || (character !== "/" && character !== ":");
}

/** A star may stand for nothing. */
function passStars(reached: Uint8Array, steps: readonly Step[]): void {
  for (const [index, step] of steps.entries()) {
    if (reached[index] === 1 && typeof step === "number") reached[index + 1] = 1;
  }
}
