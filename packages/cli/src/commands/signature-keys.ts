/** `daykey signature-keys`: keys that sign a client's requests to a resource (RFC 9421). */
import { Option } from "@commander-js/extra-typings";
import { SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from "@daykey/common/signed-request";
import { type AdminApi, openAdminApi, segment } from "../admin-api.ts";
import { type Cli, show } from "../cli.ts";
import { examples, type Group } from "../command.ts";
import { CliError, EXIT } from "../exit.ts";
import { checkKeyFile, handingOver, tellKey } from "../hand-over.ts";
import { json } from "../output.ts";
import { type SignatureKeyMaterial, signatureKeyMaterial } from "../signature-key-material.ts";
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

const KIND = "signature-keys";
const JWK_OPTION = [
  "--jwk-file <file>",
  "the public key, where the pair is made elsewhere",
] as const;
const SECRET_OPTION = [
  "--secret-file <file>",
  "32 to 128 bytes that both sides have already",
] as const;

type SignatureKeyView = AccessKeyView & { algorithm: SignatureAlgorithm; secret?: string };

export function signatureKeysCommand(keys: Group, cli: Cli): void {
  addKeyList(keys, cli, KIND);

  keys
    .command("create")
    .description("make a key for signed requests to one resource; it is handed over once")
    .argument("<client>", "its client_id")
    .requiredOption(...NAME_OPTION)
    .addOption(
      new Option("--algorithm <name>", "a pair is made here: its private half is never sent")
        .choices(SIGNATURE_ALGORITHMS)
        .default("ed25519" as const),
    )
    .option(...JWK_OPTION)
    .option(...SECRET_OPTION)
    .option(...RESOURCE_OPTION)
    .option(...SCOPE_OPTION)
    .addOption(keyQuotaOption())
    .option(...LIFE_OPTION)
    .option(...NO_END_OPTION)
    .option("--save <file>", "write the key file there instead of showing it")
    .addHelpText(
      "after",
      examples(
        "daykey signature-keys create billing --name cron --save billing.key.json",
        "daykey signature-keys create billing --name partner --algorithm hmac-sha256",
      ),
    )
    .action(async (id, { algorithm, save, jwkFile, secretFile, ...options }) => {
      const terms = termsIn(options);
      await checkKeyFile(save, undefined);
      const material = await signatureKeyMaterial(algorithm, { jwkFile, secretFile, save });
      const body = { algorithm, ...terms, ...material.body };
      await make(await openAdminApi(cli), keysPath(id, KIND), { body, material, save });
    });

  keys
    .command("rotate")
    .description("make a key's successor on the same terms, beside it for a while")
    .argument("<client>", "its client_id")
    .argument("<id>", "the key's id, from daykey signature-keys list")
    .option(...JWK_OPTION)
    .option(...SECRET_OPTION)
    .option(...OVERLAP_OPTION)
    .option(...LIFE_OPTION)
    .option(...NO_END_OPTION)
    .option("--save <file>", "write the key file there, in place of the old one")
    .action(async (client, id, { overlap, save, jwkFile, secretFile, ...life }) => {
      const terms = { overlap_seconds: parseDuration(overlap), ...lifeIn(life) };
      await checkKeyFile(save, id);
      const api = await openAdminApi(cli);
      const path = keysPath(client, KIND);
      const { items } = await api.call<{ items: SignatureKeyView[] }>("GET", path);
      const old = items.find((key) => key.id === id);
      if (!old) throw new CliError(EXIT.refused, `${client} has no signature key ${id}`);
      const material = await signatureKeyMaterial(old.algorithm, { jwkFile, secretFile, save });
      const body = { ...terms, ...material.body };
      await make(api, `${path}/${segment(id)}/rotate`, { body, material, save });
    });

  addKeyRevocation(keys, cli, KIND);
  async function make(
    api: AdminApi,
    path: string,
    order: { body: object; material: SignatureKeyMaterial; save: string | undefined },
  ): Promise<void> {
    const isJson = cli.globals().json === true;
    await handingOver(cli, order.save, async (hand) => {
      const made = await api.call<SignatureKeyView>("POST", path, { body: order.body });
      const { secret, ...view } = made;
      const kept = { ...(secret !== undefined && { secret }), ...order.material.kept };
      const file = json(keyFile(view, kept));
      const whole = isJson ? json({ ...view, ...kept }) : file;
      // Whose private half is elsewhere gets the id alone.
      const isWhole = Object.keys(kept).length > 0;
      const screen = isWhole || isJson ? whole : `${view.id}\n`;
      await hand({ file, screen }, madeKey(api, KIND, view));
      if (order.save !== undefined && isJson) show(cli, view, () => "");
      if (isWhole) tellKey(cli, order.save);
      explainKey(cli, view);
    });
  }
}

/** What the SDK takes as a signature key. */
function keyFile(view: SignatureKeyView, kept: SignatureKeyMaterial["kept"]): object {
  const { id, algorithm, client_id, resource } = view;
  return { key_id: id, algorithm, client_id, resource, ...kept };
}
