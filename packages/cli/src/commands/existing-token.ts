/** `daykey introspect` and `revoke`: what a token says, and its end. */
import { PATHS } from "@daykey/common/protocol";
import { openAdminApi } from "../admin-api.ts";
import { type Cli, confirm, find, show } from "../cli.ts";
import { metadataOf, postAuthenticated } from "../client-endpoint.ts";
import { type AnyCommand, command, examples } from "../command.ts";
import { type Credential, proofBy } from "../credential.ts";
import { type Answer, objectIn } from "../http.ts";
import { readToken } from "../input.ts";
import { facts } from "../output.ts";
import { local, relative } from "../times.ts";

const TOKEN_FILE = ["--token-file <file>", "where the token is (default: standard input)"] as const;

export function introspectCommand(cli: Cli): AnyCommand {
  return command("introspect", "what the auth-server says of a token (RFC 7662)")
    .option(...TOKEN_FILE)
    .addHelpText(
      "after",
      examples("daykey token | daykey introspect", "daykey introspect --token-file token"),
    )
    .action(async ({ tokenFile }) => {
      const token = await readToken(cli, tokenFile);
      const { credential } = await find(cli, "app");
      const answer = await post(cli, credential, "introspect", token);
      const said = objectIn<Record<string, unknown>>("The introspection endpoint", answer);
      show(cli, said, () => describe(said, cli.clock()));
    });
}

export function revokeCommand(cli: Cli): AnyCommand {
  return command("revoke", "end a grant, by any of its tokens (RFC 7009)")
    .option(...TOKEN_FILE)
    .option("--grant <id>", "as an admin: by its id (the claim gid)")
    .option("--yes", "with --grant: do not ask")
    .addHelpText(
      "after",
      examples(
        "daykey revoke < token",
        "daykey revoke --grant 01a20117-fb2f-7a40-80bc-14de9ecc5b84",
      ),
    )
    .action(async ({ tokenFile, grant, yes }) => {
      if (grant !== undefined) {
        await confirm(cli, `End the grant ${grant} and every token of it?`, yes);
        const api = await openAdminApi(cli);
        await api.answer("POST", "/revocations", { body: { grant } });
        return show(cli, { revoked: grant }, () => `${grant} is revoked\n`);
      }
      const token = await readToken(cli, tokenFile);
      const { credential } = await find(cli, "app");
      await post(cli, credential, "revoke", token);
      show(cli, { revoked: true }, () => "revoked: no token of its grant is accepted any more\n");
    });
}

const ENDPOINTS = { introspect: "introspectionEndpoint", revoke: "revocationEndpoint" } as const;

async function post(
  cli: Cli,
  credential: Credential,
  what: keyof typeof ENDPOINTS,
  token: string,
): Promise<Answer> {
  const { issuer } = credential;
  const url = (await metadataOf(cli, issuer))[ENDPOINTS[what]] ?? `${issuer}${PATHS[what]}`;
  const proof = proofBy("once", credential);
  return postAuthenticated(cli, { issuer, url, proof, form: { token } });
}

const TIMES = ["iat", "exp", "nbf"];

function describe(said: Record<string, unknown>, now: number): string {
  if (said["active"] !== true) return "inactive\n";
  const entries = Object.entries(said).filter(([name]) => name !== "active");
  return `active\n${facts(entries.map(([name, value]) => [name, valueOf(name, value, now)]))}`;
}

function valueOf(name: string, value: unknown, now: number): string {
  if (typeof value === "bigint" && TIMES.includes(name)) {
    const at = Number(value);
    return `${local(at)} (${relative(at, now)})`;
  }
  return Array.isArray(value) ? value.join(" ") : String(value);
}
