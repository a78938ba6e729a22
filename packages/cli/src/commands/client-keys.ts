/** `daykey client-keys`: the public keys of clients that authenticate by `private_key_jwt` (RFC 7523), and their certificates (RFC 8705). */
import { endOne, openAdminApi, segment } from "../admin-api.ts";
import { type Cli, confirm, show } from "../cli.ts";
import { examples, type Group } from "../command.ts";
import { usageError } from "../exit.ts";
import { readCertificateJwk, readPublicJwk } from "../public-keys.ts";
import { table } from "../table.ts";
import { relativeTo } from "../times.ts";

interface ClientKeyView {
  kid: string;
  algorithm: string;
  created_at: string;
  last_used_at: string | null;
  revoked_at: string | null;
}

export function clientKeysCommand(keys: Group, cli: Cli): void {
  addList(keys, cli);

  keys
    .command("add")
    .description("register a public key; its private half stays with the client")
    .argument("<client>", "its client_id")
    .option("--jwk-file <file>", "the public key as a JWK (RFC 7517)")
    .option("--certificate-file <file>", "or its certificate in PEM, for --form certificate")
    .addHelpText(
      "after",
      examples(
        "daykey client-keys add billing --jwk-file public.jwk",
        "daykey client-keys add billing --certificate-file billing.pem",
      ),
    )
    .action(async (id, { jwkFile, certificateFile }) => {
      if ((jwkFile === undefined) === (certificateFile === undefined)) {
        throw usageError(
          "Give one of --jwk-file and --certificate-file",
          "See daykey client-keys add --help.",
        );
      }
      const jwk =
        certificateFile === undefined
          ? await readPublicJwk(jwkFile ?? "")
          : await readCertificateJwk(certificateFile);
      const api = await openAdminApi(cli);
      const key = await api.call<ClientKeyView>("POST", `/clients/${segment(id)}/keys`, {
        body: { jwk },
      });
      show(cli, key, () => `${key.kid} is registered for ${id}\n`);
    });

  keys
    .command("revoke")
    .description("end a key, and every token got with it")
    .argument("<client>", "its client_id")
    .argument("<kid>", "the key's id, from daykey client-keys list")
    .option("--yes", "do not ask")
    .action(async (id, kid, { yes }) => {
      await confirm(cli, `End the key ${kid} of ${id}, and every token got with it?`, yes);
      const api = await openAdminApi(cli);
      await endOne(api, `/clients/${segment(id)}/keys`, { id: kid, member: "kid" });
      show(cli, { revoked: kid }, () => `${kid} is revoked\n`);
    });
}

function addList(keys: Group, cli: Cli): void {
  keys
    .command("list")
    .description("list a client's keys, newest first")
    .argument("<client>", "its client_id")
    .action(async (id) => {
      const api = await openAdminApi(cli);
      const path = `/clients/${segment(id)}/keys`;
      const answer = await api.call<{ items: ClientKeyView[] }>("GET", path);
      const now = cli.clock();
      show(cli, answer, () =>
        table(
          answer.items,
          [
            { title: "KID", of: ({ kid }) => kid },
            { title: "ALGORITHM", of: ({ algorithm }) => algorithm },
            { title: "STATE", of: ({ revoked_at }) => (revoked_at === null ? "live" : "revoked") },
            { title: "CREATED", of: ({ created_at }) => relativeTo(created_at, now) },
            { title: "LAST USED", of: ({ last_used_at }) => relativeTo(last_used_at, now) },
          ],
          cli.terminal,
        ),
      );
    });
}
