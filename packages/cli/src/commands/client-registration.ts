/** `daykey clients create` and `update`: what an operator decides about a client. */
import { Option } from "@commander-js/extra-typings";
import { JWT_BEARER_GRANT } from "@daykey/common/protocol";
import type { Quota } from "@daykey/common/quota";
import {
  type AdminApi,
  type ClientView,
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
import { quotaOption } from "../quota-option.ts";
import { clientFacts } from "../client-facts.ts";

const FORMS = ["once", "day", "seed", "basic", "post", "key", "workload"] as const;
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
const quotaOptionOfClient = () =>
  new Option(
    "--quota <quota>",
    'all its quotas, such as 5/day or "100/minute primes:check"; may be repeated',
  ).argParser(quotaOption);

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
    .addOption(quotaOptionOfClient())
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
        grant_types: grantTypes(options.refresh, options.form),
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
    .addOption(quotaOptionOfClient())
    .option("--no-quota", "none any more")
    .addHelpText("after", examples("daykey clients update billing --scope time:read --no-refresh"))
    .action(async (id, options) => {
      const change = {
        ...(options.name !== undefined && { name: options.name }),
        ...(options.resource && { resources: options.resource }),
        ...(options.scope && { scopes: options.scope }),
        ...(options.form && { auth_methods: options.form.map((form) => METHODS[form]) }),
        ...((options.refresh !== undefined || options.form?.includes("workload")) && {
          grant_types: grantTypes(options.refresh, options.form),
        }),
        ...extras(options),
      };
      if (Object.keys(change).length === 0) throw usageError("Nothing to change is given");
      const client = await changeClient(await openAdminApi(cli), id, change);
      show(cli, client, () => clientFacts(client, cli.clock()));
    });
}

/** Changes the client as it was read, or not at all (RFC 9110 §13.1.1). */
async function changeClient(api: AdminApi, id: string, change: object): Promise<ClientView> {
  const path = `/clients/${segment(id)}`;
  const { headers } = await api.answer("GET", path);
  const ifMatch = headers.get("etag") ?? undefined;
  const changed = await api.answer("PATCH", path, { body: change, ifMatch });
  return objectIn<ClientView>(`PATCH ${path}`, changed);
}

/** A workload may show its assertion as its authentication, or as the grant. */
function grantTypes(refresh: boolean | undefined, forms: readonly string[] = []): string[] {
  return [
    "client_credentials",
    ...(refresh ? ["refresh_token"] : []),
    ...(forms.includes("workload") ? [JWT_BEARER_GRANT] : []),
  ];
}

interface Extras {
  accessTokenSeconds?: number | undefined;
  format?: string | undefined;
  jwksUri?: string | undefined;
  requireAssertionTyp?: boolean | undefined;
  dpop?: string | undefined;
  /** False with --no-quota. */
  quota?: Quota[] | boolean | undefined;
}

function extras(options: Extras): object {
  const { accessTokenSeconds, format, jwksUri, requireAssertionTyp, dpop, quota } = options;
  return {
    ...(accessTokenSeconds !== undefined && { access_token_seconds: accessTokenSeconds }),
    ...(format !== undefined && { access_token_format: format }),
    ...(jwksUri !== undefined && { jwks_uri: jwksUri }),
    ...(requireAssertionTyp !== undefined && { require_assertion_typ: requireAssertionTyp }),
    ...(dpop !== undefined && { dpop }),
    ...(Array.isArray(quota) && { quotas: quota }),
    ...(quota === false && { quotas: [] }),
  };
}
