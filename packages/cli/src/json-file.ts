/** A JSON file that a command is given. */
import { readFile } from "node:fs/promises";
import { usageError } from "./exit.ts";

/** @throws {CliError} for a file that cannot be read or is no JSON object */
export async function readJsonFile(file: string): Promise<object> {
  let read: unknown;
  try {
    read = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "no JSON";
    throw usageError(`${file} cannot be read (${code})`);
  }
  if (typeof read === "object" && read !== null && !Array.isArray(read)) return read;
  throw usageError(`${file} holds no JSON object`);
}
