/** Secrets and tokens come from standard input or a file: an argument stands in everyone's process list. */
import { readFile } from "node:fs/promises";
import { decodeText } from "./text.ts";
import { type JsonObject, parseJson } from "@daykey/common/json-numbers";
import { usageError } from "./exit.ts";
import type { Cli } from "./cli.ts";

/**
 * All of standard input without its last newline, from a file or a pipe: a terminal would show it.
 * @param noun what it is, as in "the secret"
 * @throws {CliError}
 */
export async function readSecretInput(cli: Cli, noun: string): Promise<string> {
  if (cli.terminal.hasInput) return readInput(cli, noun);
  throw usageError(`${capital(noun)} is not typed here: it would be seen`, "Give it as in < FILE.");
}

async function readInput({ terminal }: Cli, noun: string): Promise<string> {
  if (!terminal.hasInput) terminal.note(`Paste ${noun}, then press Enter and Ctrl-D:`);
  const text = (await terminal.readInput()).replace(/\r?\n$/, "");
  if (text !== "") return text;
  throw usageError(`${capital(noun)} is expected on standard input`, "It is never an argument.");
}

/**
 * A token from a file, or from standard input without one or with "-"; of `daykey token --json` the
 * member of that name.
 * @throws {CliError}
 */
export async function readToken(
  cli: Cli,
  file: string | undefined,
  member: "access_token" | "refresh_token" = "access_token",
): Promise<string> {
  const text =
    file === undefined || file === "-" ? await readInput(cli, "the token") : await read(file);
  const token = text.startsWith("{") ? memberOf(text, member) : text;
  if (token !== undefined && /^[\x21-\x7E]+$/.test(token)) return token;
  throw usageError("What was read is not a token");
}

async function read(file: string): Promise<string> {
  try {
    return decodeText(await readFile(file)).trim();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw usageError(`${file} cannot be read (${code})`);
  }
}

function memberOf(text: string, name: string): string | undefined {
  try {
    const value = (parseJson(text) as JsonObject)[name];
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
