/** What `daykey api-keys` and `daykey signature-keys` share: the terms of a key, its list, its end. */
import { Option } from "@commander-js/extra-typings";
import type { Quota } from "@daykey/common/quota";
import { type AdminApi, endOne, openAdminApi, segment } from "../admin-api.ts";
import { type Cli, confirm, hint, show } from "../cli.ts";
import type { Group } from "../command.ts";
import { usageError } from "../exit.ts";
import type { Made } from "../hand-over.ts";
import { daysIn } from "../new-secret.ts";
import { quotaOption, quotasText, type QuotaView } from "../quota-option.ts";
import { type Column, table } from "../table.ts";
import { localAndRelative, relativeTo } from "../times.ts";

export type KeySegment = "api-keys" | "signature-keys";

export interface AccessKeyView {
  id: string;
  client_id: string;
  name: string;
  /** Only for a signature key. */
  algorithm?: string;
  resource: string;
  scopes: string[];
  quotas: QuotaView[];
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
  live: boolean;
}

export const NAME_OPTION = ["--name <name>", "for people"] as const;
export const RESOURCE_OPTION = [
  "--resource <uri>",
  "the one it is for (default: the client's first)",
] as const;
export const SCOPE_OPTION = [
  "--scope <scope...>",
  "what it may do there (default: all the client may)",
] as const;
export const NO_END_OPTION = ["--no-end", "it has no end of its own"] as const;
export const LIFE_OPTION = ["--life <days>", "such as 90d (default: 366d)"] as const;
export const OVERLAP_OPTION = [
  "--overlap <time>",
  "how long the old key still works",
  "24h",
] as const;

export const keyQuotaOption = () =>
  new Option(
    "--quota <quota>",
    'such as 5/day or "100/minute primes:check"; may be repeated',
  ).argParser(quotaOption);

export interface TermOptions extends LifeOptions {
  name: string;
  resource?: string | undefined;
  scope?: string[] | undefined;
  quota?: Quota[] | undefined;
}

export interface LifeOptions {
  life?: string | undefined;
  /** False with --no-end. */
  end: boolean;
}

/** @throws {CliError} */
export function termsIn({ name, resource, scope, quota, ...life }: TermOptions): object {
  return {
    name,
    ...(resource !== undefined && { resource }),
    ...(scope && { scopes: scope }),
    ...(quota && { quotas: quota }),
    ...lifeIn(life),
  };
}

/** @throws {CliError} */
export function lifeIn({ life, end }: LifeOptions): object {
  if (life !== undefined && !end) throw usageError("--life and --no-end are both given; give one");
  if (!end) return { days: null };
  return life === undefined ? {} : { days: daysIn(life) };
}

export function keysPath(clientId: string, kind: KeySegment): string {
  return `/clients/${segment(clientId)}/${kind}`;
}

/** A key that was just made, for when nobody gets to see it. */
export function madeKey(api: AdminApi, kind: KeySegment, { id, client_id }: AccessKeyView): Made {
  return {
    name: `The key ${id} of ${client_id}`,
    undo: async () => api.answer("POST", `${keysPath(client_id, kind)}/${segment(id)}/revoke`),
    undoBy: `${kind} revoke ${client_id} ${id}`,
    next: `daykey ${kind} create ${client_id} --save FILE`,
  };
}

/** Who the key is and when it ends, for a person. */
export function explainKey(cli: Cli, { id, resource, scopes, expires_at }: AccessKeyView): void {
  const end = localAndRelative(expires_at, cli.clock());
  hint(
    cli,
    `${id} is for ${resource}, ${scopes.join(" ")}; ${end ? `it ends ${end}` : "it has no end"}.`,
  );
}

export function addKeyList(keys: Group, cli: Cli, kind: KeySegment): void {
  keys
    .command("list")
    .description("list a client's keys, newest first, never the keys themselves")
    .argument("<client>", "its client_id")
    .action(async (id) => {
      const api = await openAdminApi(cli);
      const answer = await api.call<{ items: AccessKeyView[] }>("GET", keysPath(id, kind));
      show(cli, answer, () => table(answer.items, columns(cli, kind), cli.terminal));
    });
}

export function addKeyRevocation(keys: Group, cli: Cli, kind: KeySegment): void {
  keys
    .command("revoke")
    .description("end a key at once")
    .argument("<client>", "its client_id")
    .argument("<id>", `the key's id, from daykey ${kind} list`)
    .option("--yes", "do not ask")
    .action(async (client, id, { yes }) => {
      await confirm(cli, `End the key ${id} of ${client}?`, yes);
      const api = await openAdminApi(cli);
      await endOne(api, keysPath(client, kind), { id, member: "id" });
      show(cli, { revoked: id }, () => `${id} is revoked\n`);
    });
}

function columns(cli: Cli, kind: KeySegment): Column<AccessKeyView>[] {
  const now = cli.clock();
  const algorithm = { title: "ALGORITHM", of: (key: AccessKeyView) => key.algorithm ?? "" };
  return [
    { title: "ID", of: ({ id }) => id },
    { title: "NAME", of: ({ name }) => name },
    ...(kind === "signature-keys" ? [algorithm] : []),
    { title: "STATE", of: stateOf, style: ({ live }) => (live ? "green" : "dim") },
    { title: "SCOPES", of: ({ scopes }) => scopes.join(" ") },
    { title: "QUOTAS", of: ({ quotas }) => quotasText(quotas) },
    { title: "LAST USED", of: ({ last_used_at }) => relativeTo(last_used_at, now) },
    {
      title: "ENDS",
      of: ({ expires_at, revoked_at }) => relativeTo(revoked_at ?? expires_at, now),
    },
  ];
}

function stateOf({ live, revoked_at }: AccessKeyView): string {
  if (live) return "live";
  return revoked_at === null ? "ended" : "revoked";
}
