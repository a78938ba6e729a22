/** `daykey export`, `plan` and `apply`: clients, resources and trust in a file. */
import { resolve } from "node:path";
import { Option } from "@commander-js/extra-typings";
import { type AdminApi, openAdminApi } from "../admin-api.ts";
import { type Cli, confirm, hint, show } from "../cli.ts";
import { examples, type Group, wholeNumber } from "../command.ts";
import { KINDS, readDaykeyFile, readText, type Thing, writeDaykeyFile } from "../daykey-file.ts";
import { CliError, EXIT, usageError } from "../exit.ts";
import { applyPlan } from "../file-apply.ts";
import { describePlan, nameOf, type Plan, planOf } from "../file-plan.ts";
import { createSecretKeeper, SECRET_FORMS } from "../file-secrets.ts";
import { readServerState, type ServerState } from "../file-state.ts";

/** What only the server decides, and is in no file. */
const STATE = new Set(["enabled", "epoch", "created_at", "updated_at", "version", "cred"]);

export function exportCommand(own: Group, cli: Cli): void {
  own
    .option("--label <name>", "the label that the file gets", "main")
    .option("--only-label <name>", "only what carries this label")
    .addHelpText("after", examples("daykey export --label main > daykey.yaml"))
    .action(async ({ label, onlyLabel }) => {
      const state = await readServerState(await openAdminApi(cli));
      const file = exported(state, { label, onlyLabel });
      show(cli, file, () => writeDaykeyFile(file));
    });
}

/** Without what is as the server makes it anyway. */
function exported(
  { things, labels, keys }: ServerState,
  { label, onlyLabel }: { label: string; onlyLabel: string | undefined },
): object {
  const file: Record<string, unknown> = { label: onlyLabel ?? label };
  for (const { kind, list } of KINDS) {
    file[list] = [...things[kind]]
      .filter(([id]) => onlyLabel === undefined || labels.get(`${kind} ${id}`) === onlyLabel)
      .map(([id, thing]) => {
        const held = kind === "client" ? keys.get(id) : undefined;
        return { ...decided(kind, thing), ...(held && { keys: [...held.values()] }) };
      });
  }
  return file;
}

function decided(kind: string, thing: Thing): Thing {
  const isState = (member: string): boolean =>
    STATE.has(member) && !(member === "enabled" && kind === "trust_issuer");
  return Object.fromEntries(
    Object.entries(thing).filter(
      ([member, value]) => !isState(member) && value !== null && !isEmpty(member, value),
    ),
  );
}

/** Lists and objects whose absence says the same. */
function isEmpty(member: string, value: unknown): boolean {
  const isOptional = ["quotas", "token_quotas", "ext", "audiences"].includes(member);
  return (
    isOptional && typeof value === "object" && value !== null && Object.keys(value).length === 0
  );
}

export function planCommand(own: Group, cli: Cli): void {
  own
    .argument("<file>", "the file")
    .option("--prune", "also remove what carries the file's label and is not in it")
    .addHelpText("after", examples("daykey plan daykey.yaml"))
    .addHelpText("after", "\nIt exits with 2 when there is something to do.")
    .action(async (path, { prune }) => {
      const { plan } = await made(cli, path, { prune: prune === true });
      show(cli, plan, () => describePlan(plan, cli.terminal.paint));
      if (plan.foreign.length > 0) throw foreign(plan);
      if (plan.steps.length > 0) throw new CliError(EXIT.usage, "There is something to do");
    });
}

export function applyCommand(own: Group, cli: Cli): void {
  own
    .argument("<file>", "the file")
    .option("--prune", "also remove what carries the file's label and is not in it")
    .option("--yes", "do not ask")
    .option("--imported <file>", "secrets of another server, as daykey import wrote them")
    .option("--imported-days <days>", "after how many days they end", wholeNumber, 90)
    .option("--secrets-in <folder>", "where new secrets go", "daykey-secrets")
    .addOption(
      new Option("--secrets-as <form>", "credential files, or manifests of Secrets")
        .choices(SECRET_FORMS)
        .default("files" as const),
    )
    .addHelpText(
      "after",
      examples("daykey apply daykey.yaml", "daykey apply daykey.yaml --prune --yes"),
    )
    .action(async (path, { prune, yes, imported, importedDays, secretsIn, secretsAs }) => {
      const { plan, api } = await made(cli, path, { prune: prune === true });
      if (plan.foreign.length > 0) throw foreign(plan);
      if (cli.globals().json !== true || plan.steps.length === 0) {
        show(cli, plan, () => describePlan(plan, cli.terminal.paint));
      }
      if (plan.steps.length === 0) return;
      await confirm(cli, `Do this at ${api.issuer}?`, yes);
      const folder = resolve(cli.cwd, secretsIn);
      const secrets = createSecretKeeper({ issuer: api.issuer, folder, form: secretsAs });
      const known = imported === undefined ? {} : await importedIn(resolve(cli.cwd, imported));
      await applyPlan(api, plan, {
        secrets,
        imported: { secrets: new Map(Object.entries(known)), days: importedDays },
        done: (step) => hint(cli, `${step.action}d ${nameOf(step)}`),
      });
      if (cli.globals().json === true) show(cli, { ...plan, secrets: secrets.written }, () => "");
      if (secrets.written.length > 0) {
        hint(cli, `New secrets are in ${folder}, readable by you alone.`);
      }
    });
}

/** @throws {CliError} */
async function importedIn(path: string): Promise<Record<string, string>> {
  const text = await readText(path);
  try {
    const secrets = JSON.parse(text) as unknown;
    const isMap = typeof secrets === "object" && secrets !== null && !Array.isArray(secrets);
    if (isMap && Object.values(secrets).every((one) => typeof one === "string")) {
      return secrets as Record<string, string>;
    }
  } catch {
    // Said below, without a word of what it holds.
  }
  throw usageError(`${path} does not hold secrets by client id, as daykey import writes them`);
}

async function made(
  cli: Cli,
  path: string,
  options: { prune: boolean },
): Promise<{ plan: Plan; api: AdminApi }> {
  const file = await readDaykeyFile(resolve(cli.cwd, path));
  const api = await openAdminApi(cli);
  return { plan: planOf(file, await readServerState(api), options), api };
}

function foreign({ foreign: [one] }: Plan): CliError {
  const { kind = "client", id = "", label = "" } = one ?? {};
  return new CliError(EXIT.refused, `${nameOf({ kind, id })} is kept by another file, ${label}`, {
    hint: "Take it out of one of the two files.",
  });
}
