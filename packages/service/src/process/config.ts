/**
 * Settings: from environment variables to one typed object. All faults are reported together and by
 * name, and the same definitions print `--help`. A fault never quotes the value: it may be a secret
 * in the wrong place.
 */
import { readFileSync } from "node:fs";

import { parseServer, serversOf } from "../database/primary.ts";
import { OWN_MESSAGE } from "@daykey/common/own-message";

/** One setting: how its text becomes a value, and what `--help` says about it. */
export interface Setting<T> {
  readonly description: string;
  /** What the text must be, in words that follow "must be". */
  readonly form: string;
  readonly fallback: { readonly value: T; readonly text: string } | undefined;
  readonly optional: boolean;
  /** May come from the file that `NAME_FILE` names. */
  readonly secret: boolean;
  /** The value, or undefined when the text is not of the form. */
  readonly parse: (text: string) => T | undefined;
}

export type Definitions = Readonly<Record<string, Setting<unknown>>>;

export type Settings<D extends Definitions> = {
  readonly [Name in keyof D]: D[Name] extends Setting<infer T> ? T : never;
};

/** `default` or `optional: true`; with neither, a missing setting is a fault. */
interface Common<T> {
  readonly description: string;
  readonly default?: T;
  readonly optional?: boolean;
}

type Value<T, O> = O extends { readonly optional: true } ? T | undefined : T;

/** Settings that cannot be used; `faults` holds one sentence each. */
export class ConfigError extends Error {
  readonly [OWN_MESSAGE] = true;
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`The settings cannot be used:\n${faults.map((fault) => `  ${fault}`).join("\n")}`);
    this.name = "ConfigError";
    this.faults = faults;
  }
}

export function text<
  const O extends Common<string> & { readonly pattern?: RegExp; readonly form?: string },
>(options: O): Setting<Value<string, O>> {
  const { pattern } = options;
  return setting(options, {
    form: options.form ?? (pattern === undefined ? "text" : `of the form ${pattern.source}`),
    parse: (value) => (pattern === undefined || pattern.test(value) ? value : undefined),
  });
}

export function integer<
  const O extends Common<number> & { readonly min?: number; readonly max?: number },
>(options: O): Setting<Value<number, O>> {
  return setting(options, wholeNumber("a whole number", options));
}

/** A duration in whole seconds. */
export function seconds<
  const O extends Common<number> & { readonly min?: number; readonly max?: number },
>(options: O): Setting<Value<number, O>> {
  return setting(options, wholeNumber("a whole number of seconds", options));
}

export function choice<const V extends string, const O extends Common<NoInfer<V>>>(
  values: readonly V[],
  options: O,
): Setting<Value<V, O>> {
  return setting<V, O>(options, {
    form: `one of ${values.join(", ")}`,
    parse: (value) => values.find((candidate) => candidate === value),
  });
}

export function flag<const O extends Common<boolean>>(options: O): Setting<Value<boolean, O>> {
  return setting<boolean, O>(options, {
    form: "true or false",
    parse: (value) => (value === "true" || value === "false" ? value === "true" : undefined),
  });
}

/**
 * An absolute http(s) URL, returned as written. It must be written in its normal form (lower-case
 * host, no default port, no trailing slash), because others compare it byte for byte.
 */
export function url<const O extends Common<string> & { readonly path?: boolean }>(
  options: O,
): Setting<Value<string, O>> {
  const extras = options.path === true ? "query" : "path, query";
  return setting(options, {
    form: `an absolute http or https URL in normal form, without ${extras}, fragment or credentials`,
    parse: (value) => (isNormalUrl(value, options.path === true) ? value : undefined),
  });
}

/** Some of these, separated by commas. */
export function choices<const V extends string, const O extends Common<readonly NoInfer<V>[]>>(
  values: readonly V[],
  options: O,
): Setting<Value<readonly V[], O>> {
  const { parse } = list({ ...options, item: (item) => values.some((value) => value === item) });
  return setting<readonly V[], O>(options, {
    form: `some of ${values.join(", ")}`,
    parse: (value) => parse(value) as readonly V[] | undefined,
  });
}

/** Comma-separated items; spaces around them and empty items are dropped. */
export function list<
  const O extends Common<readonly string[]> & {
    readonly item?: (text: string) => boolean;
    readonly form?: string;
  },
>(options: O): Setting<Value<readonly string[], O>> {
  return setting<readonly string[], O>(options, {
    form: options.form ?? "items separated by commas",
    parse: (value) => {
      const items = value.split(",").map((item) => item.trim());
      const present = items.filter((item) => item !== "");
      return present.every(options.item ?? (() => true)) ? present : undefined;
    },
  });
}

/** Text from `NAME`, or from the file that `NAME_FILE` names (its one trailing newline is dropped). */
export function secret<
  const O extends Common<string> & { readonly pattern?: RegExp; readonly form?: string },
>(options: O): Setting<Value<string, O>> {
  return { ...text(options), secret: true };
}

/**
 * A connection string of PostgreSQL's, perhaps of several hosts (`primary.ts`); a secret, as it may
 * hold a password.
 */
export function postgresUrl<const O extends Common<string>>(options: O): Setting<Value<string, O>> {
  const form =
    "a URL that begins with postgresql://, with reserved characters of a password encoded";
  const isOne = (value: string): boolean =>
    serversOf(value).every(
      (server) => /^postgres(?:ql)?:\/\/./.test(server) && isReadable(parseServer(server)),
    );
  return parsedSecret(options, form, isOne);
}

/** The URL of a Redis or Valkey; a secret, as it may hold a password. */
export function redisServer<const O extends Common<string>>(options: O): Setting<Value<string, O>> {
  const form =
    "a URL of the form redis://host:port or rediss://host:port, with reserved characters of a password encoded";
  const isOne = (value: string): boolean => {
    const parsed = URL.parse(value);
    return (
      parsed !== null &&
      /^rediss?:$/.test(parsed.protocol) &&
      parsed.hostname !== "" &&
      /^\/?\d{0,5}$/.test(parsed.pathname) &&
      isReadable(parsed)
    );
  };
  return parsedSecret(options, form, isOne);
}

function parsedSecret<const O extends Common<string>>(
  options: O,
  form: string,
  isOne: (value: string) => boolean,
): Setting<Value<string, O>> {
  const parse = (value: string) => (isOne(value) ? value : undefined);
  return { ...setting<string, O>(options, { form, parse }), secret: true };
}

/** Whether a URL's name and password decode. */
function isReadable(parsed: URL | null): boolean {
  if (!parsed) return false;
  try {
    for (const part of [parsed.username, parsed.password, parsed.hostname])
      decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}

/** @throws {ConfigError} with every fault of every setting. Variables without a definition are ignored. */
export function readSettings<const D extends Definitions>(
  definitions: D,
  env: Readonly<Record<string, string | undefined>>,
): Settings<D> {
  const faults: string[] = [];
  const settings: Record<string, unknown> = {};
  for (const [name, definition] of Object.entries(definitions)) {
    try {
      settings[name] = readSetting(name, definition, env);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      faults.push(...error.faults);
    }
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return settings as Settings<D>;
}

/** The table of `--help`: name, default, description. */
export function describeSettings(definitions: Definitions): string {
  const rows = Object.entries(definitions).map(([name, definition]) => [
    definition.secret ? `${name}[_FILE]` : name,
    definition.fallback?.text ?? (definition.optional ? "(none)" : "(required)"),
    definition.form === "text"
      ? definition.description
      : `${definition.description} (${definition.form})`,
  ]);
  const width = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const [names, defaults] = [width(0), width(1)];
  return rows
    .map(([name, standard, description]) =>
      `  ${name?.padEnd(names)}  ${standard?.padEnd(defaults)}  ${description}`.trimEnd(),
    )
    .join("\n");
}

function setting<T, O extends Common<T>>(
  options: O,
  { form, parse }: { form: string; parse: (text: string) => T | undefined },
): Setting<Value<T, O>> {
  const { description, default: standard } = options;
  return {
    description,
    form,
    parse,
    fallback:
      standard === undefined ? undefined : { value: standard, text: String(standard) || "(empty)" },
    optional: options.optional === true,
    secret: false,
  };
}

function readSetting(
  name: string,
  definition: Setting<unknown>,
  env: Readonly<Record<string, string | undefined>>,
): unknown {
  const raw = definition.secret ? readSecret(name, env) : env[name];
  if (raw === undefined || raw === "") {
    if (definition.fallback !== undefined) return definition.fallback.value;
    if (definition.optional) return undefined;
    throw new ConfigError([`${name} is required: ${definition.description}`]);
  }
  const value = definition.parse(raw);
  if (value === undefined) throw new ConfigError([`${name} must be ${definition.form}`]);
  return value;
}

function readSecret(name: string, env: Readonly<Record<string, string | undefined>>) {
  const path = env[`${name}_FILE`];
  if (path === undefined || path === "") return env[name];
  if (env[name] !== undefined && env[name] !== "") {
    throw new ConfigError([`${name} and ${name}_FILE are both set; set one of them`]);
  }
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw new ConfigError([`${name}_FILE names a file that cannot be read (${code})`]);
  }
  const value = content.replace(/\r?\n$/, "");
  if (value === "") throw new ConfigError([`${name}_FILE names an empty file`]);
  return value;
}

function wholeNumber(noun: string, { min, max }: { min?: number; max?: number }) {
  const low = min ?? 0;
  const high = max ?? Number.MAX_SAFE_INTEGER;
  return {
    form: max === undefined ? `${noun}, at least ${low}` : `${noun} from ${low} to ${high}`,
    parse: (value: string) => {
      const number = /^(?:0|-?[1-9]\d{0,15})$/.test(value) ? Number(value) : Number.NaN;
      return number >= low && number <= high ? number : undefined;
    },
  };
}

/** Whether a text is an http or https origin, as browsers write it. */
export function isOrigin(value: string): boolean {
  return isNormalUrl(value, false);
}

function isNormalUrl(value: string, pathAllowed: boolean): boolean {
  const parsed = URL.parse(value);
  if (parsed === null || (parsed.protocol !== "http:" && parsed.protocol !== "https:")) {
    return false;
  }
  const normal = parsed.origin + (pathAllowed && parsed.pathname !== "/" ? parsed.pathname : "");
  return value === normal;
}
