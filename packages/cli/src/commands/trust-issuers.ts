/** `daykey trust issuers`: whose words about workloads count. */
import { Option } from "@commander-js/extra-typings";
import { type AdminApi, openAdminApi, type Page, pages, segment } from "../admin-api.ts";
import { type Cli, confirm, show } from "../cli.ts";
import { examples, type Group, wholeNumber } from "../command.ts";
import { usageError } from "../exit.ts";
import { objectIn } from "../http.ts";
import { readJsonFile } from "../json-file.ts";
import { facts } from "../output.ts";
import { table } from "../table.ts";

interface IssuerView {
  name: string;
  iss: string;
  enabled: boolean;
  key_source: string;
  keys_uri: string | null;
  algorithms: string[];
  max_age_seconds: bigint;
  audiences: string[];
  reusable: boolean;
}

const ALGORITHMS = ["ES256", "RS256", "PS256", "Ed25519"] as const;
const algorithmOption = () =>
  new Option("--algorithm <alg...>", "what its tokens may be signed with").choices(ALGORITHMS);

/** Where its keys are, and what its tokens must be like. */
interface IssuerOptions {
  discovery?: true | undefined;
  jwksUri?: string | undefined;
  jwksFile?: string | undefined;
  spiffeBundle?: string | undefined;
  algorithm?: string[] | undefined;
  maxAge?: number | undefined;
  audience?: string[] | undefined;
  reusable?: boolean | undefined;
}

export function addIssuerCommands(issuers: Group, cli: Cli): void {
  issuers
    .command("list")
    .description("list the trusted issuers")
    .action(async () => {
      const api = await openAdminApi(cli);
      const all = await pages<IssuerView>(api, "/trust/issuers", ALL);
      show(cli, all, () => issuerTable(cli, all));
    });

  issuers
    .command("show")
    .description("show a trusted issuer")
    .argument("<name>", "its name")
    .action(async (name) => {
      const api = await openAdminApi(cli);
      const issuer = await api.call<IssuerView>("GET", pathOf(name));
      show(cli, issuer, () => issuerFacts(issuer));
    });

  issuers
    .command("add")
    .description("trust an issuer; without a rule its workloads get nothing")
    .argument("<name>", "what it is called here")
    .requiredOption("--iss <iss>", "as its tokens have it, or spiffe://<trust domain>")
    .option("--discovery", "its keys are where its metadata says")
    .option("--jwks-uri <url>", "its keys are there")
    .option("--jwks-file <file>", "its keys are these")
    .option("--spiffe-bundle <url>", "its keys are in this SPIFFE bundle")
    .addOption(algorithmOption())
    .option("--max-age <seconds>", "the oldest token that counts (default: 3600)", wholeNumber)
    .option("--audience <aud...>", "what its tokens are for (default: this issuer)")
    .option("--reusable", "take a token more than once though it has a jti")
    .addHelpText(
      "after",
      examples(
        "daykey trust issuers add github --iss https://token.actions.githubusercontent.com --discovery",
      ),
    )
    .action(async (name, { iss, ...options }) => {
      const api = await openAdminApi(cli);
      const body = { name, iss, ...(await membersOf(options)) };
      if (!("key_source" in body)) throw usageError("Nothing says where its keys are");
      const issuer = await api.call<IssuerView>("POST", "/trust/issuers", { body });
      show(cli, issuer, () => issuerFacts(issuer));
    });

  issuers
    .command("update")
    .description("change what is given; what counts no more ends its rules' tokens")
    .argument("<name>", "its name")
    .option("--discovery", "its keys are where its metadata says")
    .option("--jwks-uri <url>", "its keys are there")
    .option("--jwks-file <file>", "its keys are these")
    .option("--spiffe-bundle <url>", "its keys are in this SPIFFE bundle")
    .addOption(algorithmOption())
    .option("--max-age <seconds>", "the oldest token that counts", wholeNumber)
    .option("--audience <aud...>", "what its tokens are for")
    .option("--reusable", "take a token more than once though it has a jti")
    .option("--no-reusable", "take a token with a jti once")
    .action(async (name, options) => {
      const change = await membersOf(options);
      if (Object.keys(change).length === 0) throw usageError("Nothing to change is given");
      const issuer = await replace<IssuerView>(await openAdminApi(cli), pathOf(name), change);
      show(cli, issuer, () => issuerFacts(issuer));
    });

  for (const [turn, enabled, about] of [
    ["enable", true, "trust an issuer again"],
    ["disable", false, "refuse an issuer, and end the tokens of its rules"],
  ] as const) {
    issuers
      .command(turn)
      .description(about)
      .argument("<name>", "its name")
      .action(async (name) => {
        const api = await openAdminApi(cli);
        const issuer = await replace<IssuerView>(api, pathOf(name), { enabled });
        show(cli, issuer, () => `${name} is ${turn}d\n`);
      });
  }

  issuers
    .command("remove")
    .description("trust an issuer no more: its rules go too, and their tokens end")
    .argument("<name>", "its name")
    .option("--yes", "do not ask")
    .action(async (name, { yes }) => {
      await confirm(cli, `Remove the issuer ${name}, its rules and their tokens?`, yes);
      const api = await openAdminApi(cli);
      await api.answer("DELETE", pathOf(name));
      show(cli, { removed: name }, () => `${name} is removed\n`);
    });
}

/** A list that is read to its end. */
export const ALL = { query: {}, cursor: undefined, all: true };

/** There is only a whole replacement: what is not changed goes back as it was read. */
export async function replace<T>(api: AdminApi, path: string, change: object): Promise<T> {
  const read = await api.answer("GET", path);
  const ifMatch = read.headers.get("etag") ?? undefined;
  const body = { ...withoutBigints(objectIn<object>(`GET ${path}`, read)), ...change };
  return objectIn<T>(`PUT ${path}`, await api.answer("PUT", path, { body, ifMatch }));
}

/** As it was read, numbers are bigints; none here is beyond a double. */
function withoutBigints(view: object): object {
  return JSON.parse(
    JSON.stringify(view, (_name, value: unknown) =>
      typeof value === "bigint" ? Number(value) : value,
    ),
  ) as object;
}

function pathOf(name: string): string {
  return `/trust/issuers/${segment(name)}`;
}

async function membersOf(options: IssuerOptions): Promise<object> {
  const { algorithm, maxAge, audience, reusable } = options;
  return {
    ...(await keysOf(options)),
    ...(algorithm && { algorithms: algorithm }),
    ...(maxAge !== undefined && { max_age_seconds: maxAge }),
    ...(audience && { audiences: audience }),
    ...(reusable !== undefined && { reusable }),
  };
}

async function keysOf(options: IssuerOptions): Promise<object> {
  const { discovery, jwksUri, jwksFile, spiffeBundle } = options;
  const sources = [
    discovery && { key_source: "discovery", keys_uri: null, jwks: null },
    jwksUri !== undefined && { key_source: "jwks_uri", keys_uri: jwksUri, jwks: null },
    jwksFile !== undefined && { key_source: "jwks", keys_uri: null, jwks: jwksFile },
    spiffeBundle !== undefined && { key_source: "spiffe", keys_uri: spiffeBundle, jwks: null },
  ].filter((source) => typeof source === "object");
  const [source] = sources;
  if (sources.length > 1) throw usageError("Its keys are in one place: give one of these options");
  if (!source) return {};
  return { ...source, jwks: source.jwks === null ? null : await readJsonFile(source.jwks) };
}

function issuerTable({ terminal }: Cli, { items }: Page<IssuerView>): string {
  return table(
    items,
    [
      { title: "NAME", of: ({ name }) => name },
      { title: "ISS", of: ({ iss }) => iss },
      { title: "KEYS", of: ({ key_source: source }) => source },
      { title: "STATE", of: ({ enabled }) => (enabled ? "enabled" : "disabled") },
    ],
    terminal,
  );
}

function issuerFacts(issuer: IssuerView): string {
  return facts([
    ["name", issuer.name],
    ["iss", issuer.iss],
    ["state", issuer.enabled ? "enabled" : "disabled"],
    ["keys", `${issuer.key_source} ${issuer.keys_uri ?? ""}`.trim()],
    ["algorithms", issuer.algorithms.join(" ")],
    ["oldest token", `${issuer.max_age_seconds} s`],
    ["audiences", issuer.audiences.join(" ") || "this issuer"],
    ["reusable", issuer.reusable ? "yes" : "no"],
  ]);
}
