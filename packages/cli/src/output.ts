/** What a command shows: lists for people, JSON for programs; tables are in `table.ts`. */
import { styleText } from "node:util";

declare global {
  interface JSON {
    /** ECMAScript's, which TypeScript's libraries do not have yet. */
    rawJSON(text: string): unknown;
  }
}

export type Style = "bold" | "dim" | "red" | "green" | "yellow";
/** Styles a text, or leaves it as it is where colours are not wanted. */
export type Paint = (style: Style, text: string) => string;

export function createPaint(hasColor: boolean): Paint {
  return (style, text) => (hasColor ? styleText(style, text, { validateStream: false }) : text);
}

/** `name  value`, aligned; what is undefined is left out. */
export function facts(entries: readonly (readonly [string, string | undefined])[]): string {
  const known = entries.filter(
    (entry): entry is readonly [string, string] => entry[1] !== undefined,
  );
  const width = Math.max(0, ...known.map(([name]) => name.length));
  return known
    .map(([name, value]) => `${name.padEnd(width)}  ${printable(value) || "-"}\n`)
    .join("");
}

/** Indented JSON with exact integers. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, exact, 2)}\n`;
}

/** One line of JSON, for streams. */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value, exact)}\n`;
}

function exact(_: string, member: unknown): unknown {
  return typeof member === "bigint" ? JSON.rawJSON(member.toString()) : member;
}

/** What secrets, hashes and tokens look like: where they do not belong, they are not shown. */
const SECRETS = /dk[sk]_\w{8,}|eyJ[\w.-]+|dk[ra]1\.[\w.-]+|\b[0-9a-f]{64}\b/g;

/** For what a person typed: a secret given as an argument is not written down once more. */
export function withoutSecrets(text: string): string {
  return text.replaceAll(SECRETS, "…");
}

/** Without what could steer a terminal or turn its writing direction: a server's text is only shown. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\u{FFFD}");
}
