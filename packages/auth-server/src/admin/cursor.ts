/** Where a page ended, as the opaque text that asks for the next: base64url of words. */
import { problem, type ProblemError } from "@daykey/service/http/problem-error";

export function encodeCursor(words: readonly (string | number)[]): string {
  return Buffer.from(words.join(" "), "latin1").toString("base64url");
}

/**
 * The parts that `pattern`, made of one group each, finds in a cursor of ours.
 * @throws {ProblemError} 400 for any other
 */
export function decodeCursor(cursor: string, pattern: RegExp): string[] {
  const bytes = Buffer.from(cursor, "base64url");
  const parts = pattern.exec(bytes.toString("latin1"));
  // base64url decoders are lenient: one place has one cursor.
  if (parts && bytes.toString("base64url") === cursor) return parts.slice(1);
  throw invalidCursor();
}

/** 400: from another list or order, or made up. */
export function invalidCursor(): ProblemError {
  return problem("invalid-cursor");
}
