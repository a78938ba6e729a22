/** Does what a plan says, one thing after the other; what was changed by hand meanwhile is left alone. */
import { type AdminApi, type NewSecret, segment } from "./admin-api.ts";
import type { Thing } from "./daykey-file.ts";
import { CliError, EXIT } from "./exit.ts";
import { explain } from "./explain.ts";
import { differencesOf, nameOf, type Plan, type Step } from "./file-plan.ts";
import type { SecretKeeper } from "./file-secrets.ts";
import { pathOf, PATHS_OF, readThing } from "./file-state.ts";

/** Where new secrets go, and those that come from another server. */
interface Given {
  secrets: SecretKeeper;
  imported: { secrets: ReadonlyMap<string, string>; days: number };
}

/** The most that one request labels. */
const LABELS_AT_ONCE = 200;

/**
 * @param done told of each step that was done
 * @throws {CliError} at the first that fails: those before it stay done, and another run goes on
 */
export async function applyPlan(
  api: AdminApi,
  { steps, label }: Plan,
  { done, ...given }: Given & { done: (step: Step) => void },
): Promise<void> {
  const owners: Step[] = [];
  const made: Step[] = [];
  let count = 0;
  try {
    for (const step of steps) {
      const isLate = await applyStep(api, step, given);
      if (isLate) owners.push(step);
      if (step.label !== undefined) made.push(step);
      if (made.length === LABELS_AT_ONCE) await setLabel(api, label, made.splice(0));
      done(step);
      count++;
    }
    for (const { kind, id, after } of owners) await replace(api, { kind, id }, after ?? {});
  } catch (error) {
    const { exitCode, message, answer } = explain(error);
    await setLabel(api, label, made).catch(() => {});
    throw new CliError(exitCode, `${message}. Of ${steps.length} steps ${count} were done before`, {
      answer,
      hint: "What was done stays done. Plan again, then apply: it goes on from there.",
    });
  }
  await setLabel(api, label, made);
}

async function setLabel(api: AdminApi, label: string, made: readonly Step[]): Promise<void> {
  if (made.length === 0) return;
  const items = made.map(({ kind, id }) => ({ kind, id }));
  await api.answer("PUT", `/labels/${segment(label)}`, { body: { items } });
}

/** Whether its owner, a client that is made later, is still to be set. */
async function applyStep(api: AdminApi, step: Step, given: Given): Promise<boolean> {
  const { action, kind, id, before, after } = step;
  if (action === "create") return create(api, step, given);
  const { thing, etag } = await readThing(api, kind, id);
  const changed = differencesOf(thing, before ?? {});
  if (changed.length > 0) {
    throw new CliError(
      EXIT.refused,
      `${nameOf(step)} was changed by hand since the plan was made (${changed.map(({ member }) => member).join(", ")})`,
    );
  }
  if (action === "remove") {
    await api.answer("DELETE", pathOf(kind, id), { ifMatch: etag });
    return false;
  }
  if (step.differences.length > 0) await replace(api, { kind, id, etag, thing }, after ?? {});
  await applyKeys(api, step);
  return false;
}

async function replace(
  api: AdminApi,
  { kind, id, ...read }: Pick<Step, "kind" | "id"> & { thing?: Thing; etag?: string | undefined },
  after: Thing,
): Promise<void> {
  const { thing, etag } = read.thing
    ? { thing: read.thing, etag: read.etag }
    : await readThing(api, kind, id);
  const { keys: _, secret: __, ...members } = after;
  await api.answer("PUT", pathOf(kind, id), { body: { ...thing, ...members }, ifMatch: etag });
}

async function create(api: AdminApi, step: Step, { secrets, imported }: Given): Promise<boolean> {
  const { kind, id, after = {} } = step;
  const { keys: _, secret, ...body } = after;
  if (kind === "client") {
    const takes = (body["auth_methods"] as string[]).some((one) => one.startsWith("client_secret"));
    const isWanted = secret === undefined ? takes : secret === "generated";
    if (secret === "imported") {
      await api.answer("POST", PATHS_OF.client, {
        body: { ...body, secret: importedOf(id, imported) },
      });
    } else if (isWanted) await createWithSecret(api, { id, body, secrets });
    else await api.answer("POST", PATHS_OF.client, { body: { ...body, secret: null } });
    await applyKeys(api, step);
    return false;
  }
  const isOwned = kind === "resource" && body["owner_client_id"] !== null;
  const sent = isOwned ? { ...body, owner_client_id: null } : body;
  await api.answer("POST", PATHS_OF[kind], { body: sent });
  return isOwned;
}

/** @throws {CliError} */
function importedOf(id: string, { secrets, days }: Given["imported"]): object {
  const secret = secrets.get(id);
  if (secret !== undefined) return { kind: "imported", secret, days };
  throw new CliError(
    EXIT.usage,
    `The secret of ${id} is to be imported, and is not in a file of --imported`,
  );
}

async function createWithSecret(
  api: AdminApi,
  { id, body, secrets }: { id: string; body: Thing; secrets: SecretKeeper },
): Promise<void> {
  await secrets.keep(id, async () => {
    const request = { ...body, secret: { kind: "generated" } };
    const made = await api.call<{ secret: NewSecret }>("POST", PATHS_OF.client, { body: request });
    const resource = String((body["resources"] as string[])[0]);
    const revoke = `${pathOf("client", id)}/secrets/${segment(made.secret.kid)}/revoke`;
    return {
      secret: made.secret,
      resource,
      undo: async () => void (await api.answer("POST", revoke)),
    };
  });
}

async function applyKeys(api: AdminApi, { id, keys }: Step): Promise<void> {
  const path = `${pathOf("client", id)}/keys`;
  for (const jwk of keys.add) await api.answer("POST", path, { body: { jwk } });
  for (const kid of keys.end) await api.answer("POST", `${path}/${segment(kid)}/revoke`);
}
