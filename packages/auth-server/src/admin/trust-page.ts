/** What the routes of trusted issuers and rules share: both are named by an operator and have a version. */
import { problem } from "@daykey/service/http/problem-error";
import { decodeCursor, encodeCursor } from "./cursor.ts";

const NAME_CURSOR = /^name ([A-Za-z0-9._-]{1,64})$/;

/** The name that a page ended with. @throws {ProblemError} 400 for a cursor of another list */
export function nameAfter(cursor: string | undefined): string | undefined {
  return cursor === undefined ? undefined : decodeCursor(cursor, NAME_CURSOR)[0];
}

/** @param found one more than the page holds, where there is more */
export function pageFrom<T extends { name: string }, V>(
  found: readonly T[],
  limit: number,
  viewOf: (item: T) => V,
) {
  const items = found.slice(0, limit);
  const last = found.length > limit ? items.at(-1) : undefined;
  return { items: items.map(viewOf), next_cursor: last ? encodeCursor(["name", last.name]) : null };
}

export function versionTag({ version }: { version: number }): string {
  return `"${version}"`;
}

/** @throws {ProblemError} 400 for a body that would change what only the server decides */
export function requireSameState<Name extends string>(
  view: Readonly<Record<Name, unknown>>,
  body: Readonly<Partial<Record<Name, unknown>>>,
  names: readonly Name[],
): void {
  const changed = names.find((name) => body[name] !== undefined && body[name] !== view[name]);
  if (changed === undefined) return;
  throw problem("read-only-member", { detail: `${changed} cannot be changed so.` });
}
