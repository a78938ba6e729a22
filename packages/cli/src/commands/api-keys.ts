/** `daykey api-keys`: keys that a client sends straight to a resource, without a token. */
import { type AdminApi, openAdminApi, segment } from "../admin-api.ts";
import { type Cli, show } from "../cli.ts";
import { examples, type Group } from "../command.ts";
import { checkKeyFile, handingOver, tellKey } from "../hand-over.ts";
import { json } from "../output.ts";
import { parseDuration } from "../times.ts";
import {
  type AccessKeyView,
  addKeyList,
  addKeyRevocation,
  explainKey,
  keyQuotaOption,
  keysPath,
  LIFE_OPTION,
  lifeIn,
  madeKey,
  NAME_OPTION,
  NO_END_OPTION,
  OVERLAP_OPTION,
  RESOURCE_OPTION,
  SCOPE_OPTION,
  termsIn,
} from "./access-keys.ts";

const KIND = "api-keys";
const SAVE_OPTION = ["--save <file>", "write the key to this file instead of showing it"] as const;

export function apiKeysCommand(keys: Group, cli: Cli): void {
  addKeyList(keys, cli, KIND);

  keys
    .command("create")
    .description("make an API key for one resource; it is handed over once")
    .argument("<client>", "its client_id")
    .requiredOption(...NAME_OPTION)
    .option(...RESOURCE_OPTION)
    .option(...SCOPE_OPTION)
    .addOption(keyQuotaOption())
    .option(...LIFE_OPTION)
    .option(...NO_END_OPTION)
    .option(...SAVE_OPTION)
    .addHelpText(
      "after",
      examples(
        "daykey api-keys create billing --name ci --scope time:read --quota 5/day --life 90d",
        'curl -H "X-Api-Key: $(cat key)" http://localhost:5000/time',
      ),
    )
    .action(async (id, { save, ...options }) => {
      const body = termsIn(options);
      await checkKeyFile(save, undefined);
      await make(await openAdminApi(cli), keysPath(id, KIND), body, save);
    });

  keys
    .command("rotate")
    .description("make a key's successor on the same terms, beside it for a while")
    .argument("<client>", "its client_id")
    .argument("<id>", "the key's id, from daykey api-keys list")
    .option(...OVERLAP_OPTION)
    .option(...LIFE_OPTION)
    .option(...NO_END_OPTION)
    .option("--save <file>", "write the key to this file, in place of the old one")
    .addHelpText("after", examples("daykey api-keys rotate billing 0tp1eti4qicx --overlap 7d"))
    .action(async (client, id, { overlap, save, ...life }) => {
      const body = { overlap_seconds: parseDuration(overlap), ...lifeIn(life) };
      await checkKeyFile(save, id);
      const path = `${keysPath(client, KIND)}/${segment(id)}/rotate`;
      await make(await openAdminApi(cli), path, body, save);
    });

  addKeyRevocation(keys, cli, KIND);
  async function make(
    api: AdminApi,
    path: string,
    body: object,
    save: string | undefined,
  ): Promise<void> {
    const isJson = cli.globals().json === true;
    await handingOver(cli, save, async (hand) => {
      const made = await api.call<AccessKeyView & { api_key: string }>("POST", path, { body });
      const { api_key: key, ...view } = made;
      const texts = { file: `${key}\n`, screen: isJson ? json(made) : `${key}\n` };
      await hand(texts, madeKey(api, KIND, view));
      if (isJson && save !== undefined) show(cli, view, () => "");
      tellKey(cli, save);
      explainKey(cli, view);
    });
  }
}
