/** `daykey clients create` and `update`: what an operator decides about a client. */
import { Option } from "@commander-js/extra-typings";
import { JWT_BEARER_GRANT, TOKEN_EXCHANGE_GRANT } from "@daykey/common/protocol";
import type { Quota } from "@daykey/common/quota";
import {
  type AdminApi,
  type ClientView,
  type ExchangeView,
  type NewSecret,
  openAdminApi,
  segment,
} from "../admin-api.ts";
import { type Cli, hint, show } from "../cli.ts";
import { examples, type Group, wholeNumber } from "../command.ts";
import { METHODS } from "../proof.ts";
import { CliError, EXIT, usageError } from "../exit.ts";
import { checkSave, handingOver, handOver } from "../hand-over.ts";
import { objectIn } from "../http.ts";
import { completed, orderSecret } from "../new-secret.ts";
import { extOption } from "../ext-option.ts";
import { quotaOption } from "../quota-option.ts";
import { type ScopesAt, scopeAtOption } from "../scope-at-option.ts";
import { clientFacts } from "../client-facts.ts";

const FORMS = [
  "once",
  "day",
  "seed",
  "basic",
  "post",
  "key",
  "certificate",
  "ca",
  "workload",
] as const;
const DEFAULT_FORMS = ["once", "day"] as const;

const formOption = () => new Option("--form <form...>", "how it may prove itself").choices(FORMS);
const formatOption = () =>
  new Option("--format <format>", "of its access tokens").choices(["jwt", "opaque"] as const);
const dpopOption = () =>
  new Option("--dpop <mode>", "bind its access tokens to a key (RFC 9449)").choices([
    "optional",
    "required",
    "day-key",
  ] as const);
const exchangeOptions = {
  subject: () =>
    new Option("--exchange-subject <client...>", "whose tokens it may exchange; * for anybody's"),
  audience: () => new Option("--exchange-audience <uri...>", "for which resources; * for any"),
  scope: () =>
    new Option("--exchange-scope <scope...>", "what may come of it (default: all of its scopes)"),
  idJag: () =>
    new Option("--id-jag", "take ID-JAGs of trusted identity providers, to act for people"),
  impersonation: () =>
    new Option("--impersonation", "the token says nothing of who acts for its subject"),
};
const certificateNameOption = () =>
  new Option(
    "--certificate-name <kind=value>",
    "what its certificate is named, for --form ca: subject_dn, san_dns, san_uri, san_ip or san_email",
  ).argParser(certificateName);
const quotaOptionOfClient = () =>
  new Option(
    "--quota <quota>",
    'all its quotas, such as 5/day or "100/minute primes:check"; may be repeated',
  ).argParser(quotaOption);

const scopeAtOptionOfClient = () =>
  new Option(
    "--scope-at <resource-and-scopes>",
    'which of its scopes it has where, such as "https://api.example time:read"; may be repeated',
  ).argParser(scopeAtOption);
const tokenQuotaOption = () =>
  new Option(
    "--token-quota <quota>",
    "how many tokens it may get, such as 60/minute; may be repeated",
  ).argParser(quotaOption);
const extOptionOfClient = () =>
  new Option("--ext <json>", `claims for services, such as '{"tenant":"acme"}'`).argParser(
    extOption,
  );

export function addClientCreation(clients: Group, cli: Cli): void {
  clients
    .command("create")
    .description("register a client; its secret is handed over once")
    .argument("[client]", "its client_id (default: a generated one)")
    .requiredOption("--name <name>", "for people")
    .requiredOption("--resource <uri...>", "what its tokens are for; the first is the default")
    .requiredOption("--scope <scope...>", "what it may do there")
    .addOption(formOption().default(DEFAULT_FORMS, DEFAULT_FORMS.join(", ")))
    .option("--refresh", "give it refresh tokens too")
    .option("--access-token-seconds <seconds>", "life of its access tokens", wholeNumber)
    .addOption(formatOption())
    .option("--jwks-uri <url>", "where it publishes its own keys, for --form key")
    .option("--require-assertion-typ", "refuse its assertions without the typ of RFC 10070")
    .addOption(dpopOption())
    .addOption(certificateNameOption())
    .option("--certificate-bound", "bind its access tokens to its certificate (RFC 8705)")
    .addOption(quotaOptionOfClient())
    .addOption(exchangeOptions.subject())
    .addOption(exchangeOptions.audience())
    .addOption(exchangeOptions.scope())
    .addOption(exchangeOptions.impersonation())
    .addOption(exchangeOptions.idJag())
    .addOption(scopeAtOptionOfClient())
    .addOption(tokenQuotaOption())
    .addOption(extOptionOfClient())
    .option("--life <days>", "of the secret, such as 90d (default: 366d)")
    .option("--local", "make the secret here: the server never sees it")
    .option("--chosen", "read a secret of your own from standard input")
    .option("--no-secret", "no secret; for a client with keys of its own")
    .option("--save <file>", "write the credential to this file instead of showing it")
    .addHelpText(
      "after",
      examples(
        "daykey clients create billing --name Billing --resource http://localhost:5000 \\",
        "    --scope time:read primes:check --save billing.json",
        "daykey token --credential billing.json",
      ),
    )
    .action(async (id, options) => {
      const api = await openAdminApi(cli);
      const { issuer } = api;
      await checkSave(options.save, { issuer, clientId: id });
      const order = options.secret ? await orderSecret(cli, options) : undefined;
      const body = {
        ...(id !== undefined && { client_id: id }),
        name: options.name,
        auth_methods: options.form.map((form) => METHODS[form]),
        grant_types: grantTypes(["client_credentials"], options),
        scopes: options.scope,
        resources: options.resource,
        ...extras(options),
        secret: order ? order.body : null,
      };
      const create = async () =>
        api.call<{ client: ClientView; secret: NewSecret | null }>("POST", "/clients", { body });
      if (!order) {
        const made = await create();
        return show(cli, made, () => clientFacts(made.client, cli.clock()));
      }
      await handingOver(cli, options.save, async (hand) => {
        const { client, secret } = await create();
        if (!secret) throw new CliError(EXIT.refused, "The server answered without a secret");
        // As it is registered, whatever equivalent URI was typed: it becomes the credential's base URL.
        const [resource = issuer] = client.resources;
        const path = `/clients/${segment(client.client_id)}/secrets/${segment(secret.kid)}`;
        await handOver(cli, hand, completed(secret, order), {
          path: options.save,
          issuer,
          resource,
          shownWith: (shown) => ({ client, secret: shown }),
          undo: async () => api.answer("POST", `${path}/revoke`),
        });
      });
      if (options.save !== undefined) hint(cli, `Next: daykey token --credential ${options.save}`);
    });

  clients
    .command("update")
    .description("change what is given, and nothing else")
    .argument("<client>", "its client_id")
    .option("--name <name>", "for people")
    .option("--resource <uri...>", "all its resources; the first is the default")
    .option("--scope <scope...>", "all its scopes")
    .addOption(formOption())
    .option("--refresh", "give it refresh tokens")
    .option("--no-refresh", "give it none")
    .option("--access-token-seconds <seconds>", "life of its access tokens", wholeNumber)
    .addOption(formatOption())
    .option("--jwks-uri <url>", "where it publishes its own keys, for --form key")
    .option("--require-assertion-typ", "refuse its assertions without the typ of RFC 10070")
    .option("--no-require-assertion-typ", "take them without typ, or with JWT")
    .addOption(dpopOption())
    .addOption(certificateNameOption())
    .option("--certificate-bound", "bind its access tokens to its certificate (RFC 8705)")
    .option("--no-certificate-bound", "bind them to none")
    .addOption(quotaOptionOfClient())
    .option("--no-quota", "none any more")
    .addOption(exchangeOptions.subject())
    .addOption(exchangeOptions.audience())
    .addOption(exchangeOptions.scope())
    .addOption(exchangeOptions.impersonation())
    .addOption(exchangeOptions.idJag())
    .option("--no-exchange", "it may exchange nothing any more")
    .option("--no-exchange-scope", "all of its scopes may come of it")
    .option("--no-impersonation", "the token says who acts")
    .option("--no-id-jag", "take no ID-JAGs any more")
    .addOption(scopeAtOptionOfClient())
    .option("--no-scope-at", "each scope at each of its resources that defines it")
    .addOption(tokenQuotaOption())
    .option("--no-token-quota", "as many tokens as it asks for")
    .addOption(extOptionOfClient())
    .option("--no-ext", "no claims for services any more")
    .addHelpText("after", examples("daykey clients update billing --scope time:read --no-refresh"))
    .action(async (id, options) => {
      const change = (client: ClientView) => ({
        ...(options.name !== undefined && { name: options.name }),
        ...(options.resource && { resources: options.resource }),
        ...(options.scope && { scopes: options.scope }),
        ...(options.form && { auth_methods: options.form.map((form) => METHODS[form]) }),
        grant_types: grantTypes(client.grant_types, options),
        ...extras(options, client.exchange),
      });
      const { exchange, ...given } = options;
      if (exchange && Object.keys(given).length === 0) {
        throw usageError("Nothing to change is given");
      }
      const client = await changeClient(await openAdminApi(cli), id, change);
      show(cli, client, () => clientFacts(client, cli.clock()));
    });
}

/** Changes the client as it was read, or not at all (RFC 9110 §13.1.1). */
async function changeClient(
  api: AdminApi,
  id: string,
  change: (client: ClientView) => object,
): Promise<ClientView> {
  const path = `/clients/${segment(id)}`;
  const answer = await api.answer("GET", path);
  const ifMatch = answer.headers.get("etag") ?? undefined;
  const body = change(objectIn<ClientView>(`GET ${path}`, answer));
  const changed = await api.answer("PATCH", path, { body, ifMatch });
  return objectIn<ClientView>(`PATCH ${path}`, changed);
}

interface Grants {
  refresh?: boolean | undefined;
  form?: readonly string[] | undefined;
  exchangeSubject?: string[] | undefined;
  idJag?: boolean | undefined;
  /** False with --no-exchange. */
  exchange?: boolean | undefined;
}

/**
 * The grant types that go with the options, and else those that there were.
 * A workload may show its assertion as its authentication, or as the grant.
 */
function grantTypes(
  before: readonly string[],
  { refresh, form, exchangeSubject, idJag, exchange }: Grants,
): string[] {
  // Who takes ID-JAGs has it for another reason than a workload.
  const actsForOthers = before.includes(TOKEN_EXCHANGE_GRANT) && exchange !== false;
  const asWorkload = form && (form.includes("workload") || (actsForOthers ? undefined : false));
  const wanted: [string, boolean | undefined][] = [
    ["refresh_token", refresh],
    [JWT_BEARER_GRANT, idJag ?? asWorkload],
    [TOKEN_EXCHANGE_GRANT, exchange === false ? false : exchangeSubject && true],
  ];
  const after = new Set(before);
  for (const [name, is] of wanted) {
    if (is) after.add(name);
    if (is === false) after.delete(name);
  }
  return [...after];
}

interface Extras {
  accessTokenSeconds?: number | undefined;
  format?: string | undefined;
  jwksUri?: string | undefined;
  requireAssertionTyp?: boolean | undefined;
  dpop?: string | undefined;
  exchangeSubject?: string[] | undefined;
  exchangeAudience?: string[] | undefined;
  /** False with --no-exchange-scope. */
  exchangeScope?: string[] | boolean | undefined;
  impersonation?: boolean | undefined;
  /** False with --no-exchange. */
  exchange?: boolean | undefined;
  certificateName?: CertificateName | undefined;
  certificateBound?: boolean | undefined;
  /** False with --no-quota. */
  quota?: Quota[] | boolean | undefined;
  scopeAt?: ScopesAt[] | boolean | undefined;
  tokenQuota?: Quota[] | boolean | undefined;
  ext?: object | boolean | undefined;
}

/** @param rights to exchange, as they are before */
function extras(options: Extras, rights: ExchangeView | null = null): object {
  const { accessTokenSeconds, format, jwksUri, requireAssertionTyp, dpop } = options;
  const { quota, scopeAt, tokenQuota, ext } = options;
  const { certificateName: name, certificateBound: isBound } = options;
  return {
    ...(accessTokenSeconds !== undefined && { access_token_seconds: accessTokenSeconds }),
    ...(format !== undefined && { access_token_format: format }),
    ...(jwksUri !== undefined && { jwks_uri: jwksUri }),
    ...(requireAssertionTyp !== undefined && { require_assertion_typ: requireAssertionTyp }),
    ...(dpop !== undefined && { dpop }),
    ...(name !== undefined && { tls_client_auth: name }),
    ...(isBound !== undefined && { tls_client_certificate_bound_access_tokens: isBound }),
    ...(Array.isArray(quota) && { quotas: quota }),
    ...(quota === false && { quotas: [] }),
    ...exchangeOf(options, rights),
    ...(Array.isArray(scopeAt) && { resource_scopes: scopeAt }),
    ...(scopeAt === false && { resource_scopes: null }),
    ...(Array.isArray(tokenQuota) && { token_quotas: tokenQuota }),
    ...(tokenQuota === false && { token_quotas: [] }),
    ...(typeof ext === "object" && { ext }),
    ...(ext === false && { ext: {} }),
  };
}

/** The server takes the rights whole, so those that are not named are sent as they are. */
function exchangeOf(
  { exchangeSubject, exchangeAudience, exchangeScope, impersonation, exchange }: Extras,
  before: ExchangeView | null,
): { exchange?: object | null } {
  if (exchange === false) return { exchange: null };
  const given = {
    ...(exchangeSubject && { subjects: exchangeSubject }),
    ...(exchangeAudience && { audiences: exchangeAudience }),
    ...(exchangeScope !== undefined && { scopes: exchangeScope || null }),
    ...(impersonation !== undefined && { impersonation }),
  };
  return Object.keys(given).length > 0 ? { exchange: { ...before, ...given } } : {};
}

interface CertificateName {
  name: string;
  value: string;
}

/** @throws {CliError} without an `=`; which kinds there are is the server's to say */
function certificateName(text: string): CertificateName {
  const [, name, value] = /^([a-z_]+)=(.+)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw usageError("--certificate-name is written as in san_dns=billing.example.com");
  }
  return { name, value };
}
