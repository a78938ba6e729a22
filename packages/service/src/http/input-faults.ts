/**
 * What is wrong with a body or a query, in this project's own words: each kind of fault has its sentence
 * here, which names the member and what it takes. Never what stood there, as that may be a secret.
 */
import { z } from "zod";
import { problem } from "./problem-error.ts";

/** Faults named in one answer. */
const MAX_FAULTS = 5;
/** What a member's name looks like; any other text could be something secret. */
const MEMBER_NAME = /^(?=.{1,40}$)[a-z]+(?:_[a-z]+)*$/;

const TYPES: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  bigint: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
  null: "null",
};

type Issue = z.core.$ZodRawIssue;
type Read<T extends z.ZodType> = { data: z.output<T> } | { faults: string };

/**
 * Reads a value by its schema.
 * @param whole what is read, for faults that are no member's, such as `the body`
 * @returns up to five faults, such as `name: must be text; scopes: is missing, and must be a list`
 */
export function readInput<T extends z.ZodType>(schema: T, value: unknown, whole: string): Read<T> {
  const result = schema.safeParse(value, { error: sentenceOf });
  if (result.success) return { data: result.data };
  // A text that is too long often has a wrong form as well; one sentence a place is enough.
  const sentences = new Map<string, string>();
  for (const { path, message } of result.error.issues) {
    // Paths hold names of the schema and indices.
    const place = path.length === 0 ? whole : path.join(".");
    if (!sentences.has(place)) sentences.set(place, `${place}: ${message}`);
  }
  return { faults: [...sentences.values()].slice(0, MAX_FAULTS).join("; ") };
}

/** A schema can say itself what a pattern or a refinement wants; all else is said here. */
function sentenceOf(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      return typeSentence(issue);
    case "invalid_value":
      return requirement(issue.input, `must be ${alternatives(issue.values)}`);
    case "invalid_union":
      return unionSentence(issue);
    case "too_small":
      return boundSentence(issue, "at least", Number(issue.minimum));
    case "too_big":
      return boundSentence(issue, "at most", Number(issue.maximum));
    case "unrecognized_keys":
      return unknownSentence(issue);
    case "invalid_format":
      if (issue.format === "datetime") return "must be a UTC time such as 2026-11-21T12:00:00Z";
      break;
    default:
  }
  return "does not have the form that the OpenAPI document gives for it";
}

function typeSentence({ expected, inst, input }: Issue & { code: "invalid_type" }): string {
  const isWhole = expected === "number" && inst instanceof z.ZodNumberFormat;
  const type = TYPES[isWhole ? "int" : expected] ?? "left out";
  return requirement(input, `must be ${type}`);
}

/** JSON has no `undefined`: it is a member that is not there. */
function requirement(input: unknown, must: string): string {
  return input === undefined ? `is missing, and ${must}` : must;
}

function alternatives(values: readonly unknown[]): string {
  const [first, ...others] = values.map((value) => JSON.stringify(value));
  return others.length === 0 ? String(first) : `one of ${[first, ...others].join(", ")}`;
}

/** A union whose members differ by one text of theirs is told by what that may be. */
function unionSentence({ inst, discriminator, input }: Issue & { code: "invalid_union" }): string {
  if (discriminator === undefined || !(inst instanceof z.ZodDiscriminatedUnion)) {
    return "has none of the forms that the OpenAPI document gives for it";
  }
  const kinds = (inst.options as z.ZodObject[]).flatMap((option) => {
    const literal: unknown = option.shape[discriminator];
    return literal instanceof z.ZodLiteral ? [...literal.values] : [];
  });
  const value = (input as Record<string, unknown>)[discriminator];
  return requirement(value, `must be ${alternatives(kinds)}`);
}

function boundSentence(
  { origin }: Issue & { code: "too_small" | "too_big" },
  bound: "at least" | "at most",
  limit: number,
): string {
  if (origin === "string" || origin === "array") {
    if (bound === "at least" && limit === 1) return "must not be empty";
    const unit = origin === "string" ? "character" : "item";
    return `must have ${bound} ${limit} ${unit}${limit === 1 ? "" : "s"}`;
  }
  return `must be ${bound} ${limit}`;
}

function unknownSentence({ keys, inst }: Issue & { code: "unrecognized_keys" }): string {
  const named = keys.filter((key) => MEMBER_NAME.test(key)).slice(0, MAX_FAULTS);
  const what = named.length === 0 ? "a member" : named.join(", ");
  const has = `has ${what}, which is not known here`;
  if (!(inst instanceof z.ZodObject)) return has;
  const known = Object.entries(inst.shape as z.ZodRawShape).filter(
    ([, schema]) => !isNever(schema),
  );
  const list = known.map(([name]) => name).join(", ");
  return list === "" ? `${has}; it takes none` : `${has}; it takes ${list}`;
}

/** A member that is named only to be refused with a reason. */
function isNever(schema: z.core.$ZodType): boolean {
  return schema instanceof z.ZodOptional ? isNever(schema.unwrap()) : schema instanceof z.ZodNever;
}

/**
 * Reads a query by its schema. Unknown and repeated parameters are refused.
 * @param options.except parameters whose names begin so are somebody else's to read
 * @throws {ProblemError} 400 `invalid-query`
 */
export function readQuery<T extends z.ZodObject>(
  schema: T,
  search: string,
  { except }: { except?: string } = {},
): z.output<T> {
  const members = Object.create(null) as Record<string, string>;
  for (const [name, value] of new URLSearchParams(search)) {
    if (name in members) {
      const which = name in schema.shape ? `The query parameter ${name}` : "A query parameter";
      throw problem("invalid-query", { detail: `${which} must not appear twice.` });
    }
    members[name] = value;
  }
  for (const name of Object.keys(members)) {
    if (except !== undefined && name.startsWith(except)) delete members[name];
  }
  const read = readInput(schema, members, "the query");
  if ("data" in read) return read.data;
  throw problem("invalid-query", { detail: read.faults });
}
