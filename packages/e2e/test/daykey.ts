/** The command line beside a running stack, and what its tests share. */
import { createDesk, type Desk, type Outcome } from "@daykey/cli/test/run-daykey";
import { expect } from "vitest";
import { type Place, startStack } from "./stack.ts";

type Given = Parameters<Desk["run"]>[1];

export interface CommandLine {
  place: Place;
  /** Where the commands are run. */
  folder: string;
  issuer: string;
  resource: string;
  adminUrl: string;
  daykey(line: string, given?: Given): Promise<Outcome>;
  /** What a command prints that has to work. */
  result(line: string, given?: Given): Promise<string>;
  /** Everything any command wrote to standard error. */
  notes(): string;
  stop(): Promise<void>;
}

export async function startCommandLine(): Promise<CommandLine> {
  const { place, stop } = await startStack();
  const { AUTH_PORT, AUTH_PRIVATE_PORT, RESOURCE_PORT } = place.env;
  const adminUrl = `http://127.0.0.1:${AUTH_PRIVATE_PORT}`;
  const desk = await createDesk({ DAYKEY_HOME: place.home, DAYKEY_ADMIN_URL: adminUrl });
  let notes = "";
  const daykey: CommandLine["daykey"] = async (line, given) => {
    const outcome = await desk.run(line.split(" "), given);
    notes += outcome.stderr;
    return outcome;
  };
  return {
    place,
    folder: desk.folder,
    issuer: `http://localhost:${AUTH_PORT}`,
    resource: `http://localhost:${RESOURCE_PORT}`,
    adminUrl,
    daykey,
    async result(line, given) {
      const { code, stdout, stderr } = await daykey(line, given);
      expect(code, `daykey ${line}: ${stderr}`).toBe(0);
      return stdout;
    },
    notes: () => notes,
    async stop() {
      await desk.remove();
      await stop();
    },
  };
}

/** What differs between runs, named. */
export function steady(text: string): string {
  return text
    .replaceAll(/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?/g, "<time>")
    .replaceAll(/\b\d+ (s|min) ago\b|(?<=\()now(?=\))/g, "<ago>")
    .replaceAll(
      /\b[a-z0-9]{8}\b(?=  (generated|verifiers)| works| has ended| is revoked|$)/gm,
      "<kid>",
    )
    .replaceAll(/ +$/gm, "");
}

/** A table whose columns do not depend on what stands in them. */
export function compact(table: string): string {
  return steady(table).replaceAll(/ {2,}/g, "  ");
}

/** Runs a command again and again, as an app calls its API, until it is stopped; tells the exit codes. */
export function callAgainAndAgain(
  { daykey }: CommandLine,
  line: string,
): { stop: () => Promise<(number | null)[]> } {
  let isOver = false;
  const codes: (number | null)[] = [];
  const calls = (async () => {
    while (!isOver) codes.push((await daykey(line)).code);
  })();
  return {
    async stop() {
      isOver = true;
      await calls;
      return codes;
    },
  };
}
