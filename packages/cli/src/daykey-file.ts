/** The file of `plan` and `apply`: read, checked against its JSON Schema, and every fault told with its place. */
import { readFile, stat } from "node:fs/promises";
import { isNode, LineCounter, parseDocument, stringify } from "yaml";
import { z } from "zod";
import { CliError, EXIT, usageError } from "./exit.ts";
import { codeOf } from "./private-file.ts";

type JsonSchema = Parameters<typeof z.fromJSONSchema>[0];

/** The kinds of things in a file, in the order in which they are made, and the member that names each. */
export const KINDS = [
  { kind: "resource", list: "resources", id: "uri" },
  { kind: "client", list: "clients", id: "client_id" },
  { kind: "trust_issuer", list: "trust_issuers", id: "name" },
  { kind: "trust_rule", list: "trust_rules", id: "name" },
] as const;
export type Kind = (typeof KINDS)[number]["kind"];
type List = (typeof KINDS)[number]["list"];

/** A thing as it is written: its members by name. */
export type Thing = Readonly<Record<string, unknown>>;

/** What a file holds, with the defaults of what is left out. */
export type DaykeyFile = { label: string } & Readonly<Record<List, readonly Thing[]>>;

/** 100,000 clients are less; a parser's time and memory grow with it. */
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_FAULTS = 20;
const SCHEMA = new URL("../daykey-file.schema.json", import.meta.url);

/** @throws {CliError} exit 2, with each fault as `file:line:column: …` */
export async function readDaykeyFile(path: string): Promise<DaykeyFile> {
  return checkDaykeyFile(await readText(path), path);
}

/** A file in UTF-8, of at most 64 MiB. @throws {CliError} */
export async function readText(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > MAX_BYTES) throw usageError(`${path} is larger than ${MAX_BYTES} bytes`);
    // A byte order mark is left out, as editors write one; another encoding is a fault.
    return new TextDecoder("utf-8", { fatal: true }).decode(await readFile(path));
  } catch (error) {
    if (error instanceof CliError) throw error;
    if (error instanceof TypeError) throw usageError(`${path} is not UTF-8`);
    throw usageError(`${path} cannot be read (${codeOf(error)})`);
  }
}

/** @param name of the file, for messages @throws {CliError} */
async function checkDaykeyFile(text: string, name: string): Promise<DaykeyFile> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, version: "1.2", uniqueKeys: true });
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  const at = (path: readonly PropertyKey[]): string => place(offsetOf(document, path));
  refuse(
    [...document.errors, ...document.warnings].map(
      ({ pos, message }) => `${place(pos[0])}: ${message.split("\n")[0] ?? ""}`,
    ),
  );
  const schema = z.fromJSONSchema(JSON.parse(await readFile(SCHEMA, "utf8")) as JsonSchema);
  const parsed = schema.safeParse(plain(document, name));
  refuse(
    (parsed.error?.issues ?? []).map(({ path, message }) => {
      const last = path.at(-1);
      return `${at(path)}: ${typeof last === "string" ? `${last}: ` : ""}${message}`;
    }),
  );
  const file = parsed.data as DaykeyFile;
  const faults: string[] = [];
  for (const { list, id } of KINDS) {
    const seen = new Set<unknown>();
    for (const [i, thing] of file[list].entries()) {
      if (seen.has(thing[id])) faults.push(`${at([list, i])}: ${String(thing[id])} stands twice`);
      seen.add(thing[id]);
    }
  }
  refuse(faults);
  return file;
}

/** @throws {CliError} */
function refuse(faults: readonly string[]): void {
  if (faults.length === 0) return;
  const rest = faults.length - MAX_FAULTS;
  const told = faults.slice(0, MAX_FAULTS).join("; ");
  throw usageError(rest > 0 ? `${told}; and ${rest} more` : told);
}

type Document = ReturnType<typeof parseDocument>;

/** No aliases: a few lines of them make gigabytes. */
function plain(document: Document, name: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 }) as unknown;
  } catch {
    throw usageError(`${name}: aliases are not used in this file`);
  }
}

/** Where the node is, or the nearest that is around it. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const node: unknown = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return document.contents?.range?.[0] ?? 0;
}

/** @throws {CliError} where a text cannot be written as YAML */
export function writeDaykeyFile(file: object): string {
  try {
    return stringify(file, { lineWidth: 100, aliasDuplicateObjects: false });
  } catch (cause) {
    throw new CliError(EXIT.internal, "It cannot be written as YAML", { cause });
  }
}
