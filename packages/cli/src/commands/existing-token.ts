/** `daykey introspect` and `revoke`: what a token says, and its end. */
import { CLOCK_SKEW_SECONDS } from "@daykey/common/clock";
import { isJsonObject, type JsonObject } from "@daykey/common/json-numbers";
import { PATHS } from "@daykey/common/protocol";
import { openAdminApi } from "../admin-api.ts";
import { type Cli, confirm, find, hint, show } from "../cli.ts";
import { metadataOf, postAuthenticated } from "../client-endpoint.ts";
import { examples, type Group } from "../command.ts";
import type { Credential } from "../credential.ts";
import { proofBy } from "../proof.ts";
import { CliError, EXIT } from "../exit.ts";
import { type Answer, objectIn } from "../http.ts";
import { readToken } from "../input.ts";
import { facts } from "../output.ts";
import { local, relative } from "../times.ts";

const TOKEN_FILE = ["--token-file <file>", "where the token is (default: standard input)"] as const;

export function introspectCommand(own: Group, cli: Cli): void {
  own
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

export function revokeCommand(own: Group, cli: Cli): void {
  own
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
      if (grant !== undefined) return revokeGrant(cli, grant, yes);
      const token = await readToken(cli, tokenFile);
      requireToken(token);
      const { credential } = await find(cli, "app");
      const said = objectIn<Record<string, unknown>>(
        "The introspection endpoint",
        await post(cli, credential, "introspect", token),
      );
      // All the same: the grant of a token that has ended may still live.
      const { json } = await post(cli, credential, "revoke", token);
      if (said["active"] !== true) {
        return tellEnd(cli, isJsonObject(json ?? null) ? (json as JsonObject) : {});
      }
      const { client_id: client, gid } = said;
      show(cli, { revoked: true, ...said }, () =>
        [
          `revoked: no token of its grant is accepted any more\n`,
          facts([
            ["client", typeof client === "string" ? client : undefined],
            ["grant", typeof gid === "string" ? gid : undefined],
          ]),
        ].join(""),
      );
    });
}

/** The shape shows what is no token; asking a server would only answer "unknown" (RFC 7009 §2.2). */
function requireToken(text: string): void {
  const [, kind, id = ""] = /^dk([sk])_([a-z0-9]+)_/.exec(text) ?? [];
  if (kind !== undefined) {
    const [what, by] =
      kind === "k"
        ? ["an API key", `daykey api-keys revoke CLIENT ${id}`]
        : ["a client's secret", `daykey secrets revoke CLIENT ${id}`];
    throw new CliError(EXIT.refused, `Nothing was ended: this is ${what}, not a token`, {
      hint: `An admin ends it: ${by}`,
    });
  }
  const isToken = /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text) || /^dk[ra]1\./.test(text);
  if (isToken) return;
  throw new CliError(EXIT.refused, "Nothing was ended: this is no token of Daykey", {
    hint: "A token is eyJ…, dka1.… or dkr1.…, whole and alone. A grant ends by its id with --grant.",
  });
}

/**
 * Reports on a token that was not live: whether the grant behind it was ended now.
 * @param told the auth-server's answer; an older one sends nothing
 * @throws {CliError} when nothing that lived was ended
 */
function tellEnd(cli: Cli, told: JsonObject): void {
  const { state, grant, token_expires_at: end } = told;
  const now = cli.clock();
  const endsAt = typeof end === "bigint" ? Number(end) : undefined;
  if (typeof grant !== "string" || endsAt === undefined) throw nothingEnded();
  const when = `${local(endsAt)} (${relative(endsAt, now)})`;
  const past = endsAt <= now ? `the token had ended by itself at ${when}` : undefined;
  if (state === "ended") {
    show(cli, told, () =>
      [
        `revoked: ${past ?? "the token was not live"}, but its grant was; it is ended now\n`,
        facts([["grant", grant]]),
      ].join(""),
    );
    return;
  }
  const before = state === "ended_before";
  throw new CliError(
    EXIT.refused,
    `Nothing was ended: ${past ?? "the token was not live"}${before ? ", and its grant was revoked before" : ""}`,
    {
      answer: told,
      hint: before
        ? undefined
        : `A refresh token of its grant ${grant}, if there is one, is refused from now on.`,
    },
  );
}

function nothingEnded(): CliError {
  return new CliError(
    EXIT.refused,
    "No live token was ended: the auth-server knows none like this",
    {
      hint: "It was cut, has ended, was revoked before, or is of another issuer. The grant of a genuine token past its end is ended now; to be sure of a grant, end it by its id: daykey revoke --grant ID",
    },
  );
}

const GRANT_ID = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** An id holds the time at which it was made (RFC 9562 §5.7): one of times to come is nobody's. */
function requireGrantId(cli: Cli, id: string): void {
  const [, high = "", low = ""] = GRANT_ID.exec(id) ?? [];
  const at = Number.parseInt(high + low, 16) / 1000;
  if (high !== "" && at < cli.clock() + CLOCK_SKEW_SECONDS) return;
  throw new CliError(EXIT.refused, `Nothing was ended: ${id} is not the id of a grant`, {
    hint: "It is the claim gid of a token: daykey introspect < token",
  });
}

async function revokeGrant(cli: Cli, id: string, yes: true | undefined): Promise<void> {
  requireGrantId(cli, id);
  await confirm(cli, `End the grant ${id} and every token of it?`, yes);
  const api = await openAdminApi(cli);
  const { json } = await api.answer("POST", "/revocations", { body: { grant: id } });
  const state = isJsonObject(json ?? null) ? (json as JsonObject)["state"] : undefined;
  if (state === "ended_before") {
    throw new CliError(EXIT.refused, `Nothing was ended: the grant ${id} had ended before`);
  }
  show(cli, { revoked: id, ...(state !== undefined && { state }) }, () => `${id} is revoked\n`);
  if (state === "unseen") {
    hint(
      cli,
      "No token of it was refreshed or revoked yet, so nobody keeps it: if the id is wrong, this ended nothing.",
    );
  }
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
