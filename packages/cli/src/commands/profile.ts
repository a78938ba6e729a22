/** `daykey profile`: credentials under a name. */
import { resolve } from "node:path";
import { type Cli, hint, show } from "../cli.ts";
import { examples, type Group } from "../command.ts";
import { parseCredential, readCredentialFile } from "../credential.ts";
import { usageError } from "../exit.ts";
import { readSecretInput } from "../input.ts";
import { type Profile, PROFILE_NAME, profileNamed } from "../profile.ts";
import { table } from "../table.ts";

export function profileCommand(profiles: Group, cli: Cli): void {
  addList(profiles, cli);
  addAdd(profiles, cli);

  profiles
    .command("use")
    .description("use a profile where nothing else is said")
    .argument("<name>", "the profile")
    .action(async (name) => {
      await cli.store.update((known) => {
        profileNamed(known, name);
        return { ...known, current: name };
      });
      show(cli, { current: name }, () => `${name} is used now\n`);
    });

  profiles
    .command("remove")
    .description("forget a profile; the client itself stays")
    .argument("<name>", "the profile")
    .action(async (name) => {
      await cli.store.update((known) => {
        profileNamed(known, name);
        const { [name]: _, ...rest } = known.profiles;
        const current = known.current === name ? undefined : known.current;
        return { current, profiles: rest };
      });
      show(cli, { removed: name }, () => `${name} is removed\n`);
    });
}

function addAdd(profiles: Group, cli: Cli): void {
  profiles
    .command("add")
    .description(
      "keep a credential under a name: the path of its file, or itself from standard input",
    )
    .argument("<name>", "the profile")
    .addHelpText(
      "after",
      examples(
        "daykey profile add billing --credential billing.json",
        "daykey profile add production --admin-url https://admin.example.com < admin-client.json",
      ),
    )
    .action(async (name) => {
      if (!PROFILE_NAME.test(name)) {
        throw usageError(`"${name}" is not a name for a profile`, "Letters, digits, dots, dashes.");
      }
      const { credential: file, adminUrl } = cli.globals();
      const profile: Profile = {
        ...(file === undefined
          ? {
              credential: parseCredential(
                await readSecretInput(cli, "the credential"),
                "The input",
              ),
            }
          : { credential_file: await checkedFile(file) }),
        ...(adminUrl !== undefined && { admin_url: adminUrl }),
      };
      const { current } = await cli.store.update((known) => ({
        current: known.current ?? name,
        profiles: { ...known.profiles, [name]: profile },
      }));
      show(cli, { added: name, current }, () =>
        current === name ? `${name} is added, and used now\n` : `${name} is added\n`,
      );
    });
}

async function checkedFile(file: string): Promise<string> {
  await readCredentialFile(file);
  return resolve(file);
}

function addList(profiles: Group, cli: Cli): void {
  profiles
    .command("list")
    .description("list the profiles; no secret is shown")
    .action(async () => {
      const { current, profiles: all } = await cli.store.read();
      const items = Object.entries(all).map(([name, profile]) => ({
        name,
        current: name === current,
        client_id: profile.credential?.client_id ?? null,
        issuer: profile.credential?.issuer ?? null,
        credential_file: profile.credential_file ?? null,
        admin_url: profile.admin_url ?? null,
      }));
      show(cli, { items }, () =>
        table(
          items,
          [
            { title: "", of: (item) => (item.current ? "*" : " ") },
            { title: "PROFILE", of: ({ name }) => name },
            { title: "CREDENTIAL", of: (item) => item.credential_file ?? item.client_id ?? "" },
            { title: "ISSUER", of: ({ issuer }) => issuer ?? "" },
            { title: "ADMIN URL", of: (item) => item.admin_url ?? "" },
          ],
          cli.terminal,
        ),
      );
      if (items.length === 0)
        hint(cli, "There is none yet: daykey profile add NAME --credential FILE");
    });
}
