/** A YAML file that is checked against its schema; every fault is told with its line. */
import { OWN_MESSAGE } from "@daykey/common/own-message";
import { isNode, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";

/** More than any file of this kind needs; a parser's time grows with it. */
const MAX_CHARACTERS = 2 ** 20;

/** A fault of what stands at `path` in the document. */
export interface Fault {
  path: readonly (string | number)[];
  message: string;
}

/** The file cannot be used; the message holds one line for each fault. */
export class FileError extends Error {
  readonly [OWN_MESSAGE] = true;
  /** Each begins with `<file>:<line>: ` */
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join("\n"));
    this.name = "FileError";
    this.faults = faults;
  }
}

/**
 * @param name for the messages
 * @param make turns what follows the schema into what is used; it tells faults that a schema cannot
 * @throws {FileError} with every fault
 */
export function readYaml<T, R>(
  text: string,
  {
    name,
    schema,
    make,
  }: { name: string; schema: z.ZodType<T>; make: (content: T, fault: (fault: Fault) => void) => R },
): R {
  if (text.length > MAX_CHARACTERS) throw new FileError([`${name}: the file is too large`]);
  const lines = new LineCounter();
  // No aliases: a few lines of them make gigabytes.
  const document = parseDocument(text, { lineCounter: lines, version: "1.2" });
  const at = (offset: number): string => `${name}:${lines.linePos(offset).line}`;
  const broken = [...document.errors, ...document.warnings];
  if (broken.length > 0) {
    throw new FileError(
      broken.map(({ pos, message }) => `${at(pos[0])}: ${message.split("\n")[0] ?? ""}`),
    );
  }
  const faults: string[] = [];
  const fault = ({ path, message }: Fault): void =>
    void faults.push(`${at(offsetOf(document, path))}: ${message}`);
  const parsed = schema.safeParse(contentOf(document, name));
  for (const { path, message } of parsed.error?.issues ?? []) {
    const place = path.map((step) => (typeof step === "number" ? step : String(step)));
    const last = place.at(-1);
    fault({ path: place, message: typeof last === "string" ? `${last}: ${message}` : message });
  }
  const made = parsed.success ? make(parsed.data, fault) : undefined;
  if (faults.length > 0) throw new FileError(faults);
  return made as R;
}

function contentOf(document: ReturnType<typeof parseDocument>, name: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 }) as unknown;
  } catch {
    throw new FileError([`${name}: aliases are not used in this file`]);
  }
}

/** Where the node is, or the nearest that is around it. */
function offsetOf(
  document: ReturnType<typeof parseDocument>,
  path: readonly (string | number)[],
): number {
  for (let length = path.length; length > 0; length--) {
    const node: unknown = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return document.contents?.range?.[0] ?? 0;
}
