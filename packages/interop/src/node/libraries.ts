/** Every Node library, each tried against a running Daykey. */
import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import {
  type ClientAttempt,
  type Outcome,
  tryValidator,
  type ValidatorAttempt,
} from "../attempt.ts";
import type { World } from "../world.ts";
import { oauth4webapiClient, oauth4webapiValidator } from "./oauth4webapi.ts";
import { openidClient } from "./openid-client.ts";
import { otherClients } from "./other-clients.ts";
import { validators as otherValidators } from "./validators.ts";

export const clients: readonly ClientAttempt[] = [
  ...openidClient,
  ...oauth4webapiClient,
  ...otherClients,
];

export const validators: readonly ValidatorAttempt[] = [
  ...oauth4webapiValidator,
  ...otherValidators,
];

export async function tryNodeLibraries(world: World): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const attempt of clients) {
    outcomes.push(await outcomeOf(attempt, () => attempt.run(world)));
  }
  for (const attempt of validators) {
    const samples = world.validation[attempt.check];
    outcomes.push(await outcomeOf(attempt, () => tryValidator(attempt, samples)));
  }
  return outcomes;
}

async function outcomeOf(
  {
    library,
    from,
    check,
    setting,
  }: Pick<Outcome, "library" | "check" | "setting"> & {
    from: string;
  },
  run: () => Promise<void>,
): Promise<Outcome> {
  const seen = await run().then(
    () => undefined,
    (error: unknown) => messageOf(error),
  );
  return {
    library,
    version: versionOf(from),
    check,
    setting,
    worked: seen === undefined,
    seen: seen ?? "",
  };
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return `${error.name}: ${error.message}${cause === undefined ? "" : ` (${JSON.stringify(cause)})`}`;
}

function versionOf(name: string): string {
  const file = findPackageJSON(name, import.meta.url);
  if (file === undefined) return "?";
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
