/** What `doctor` looks at. Each check stands alone: one that fails keeps no other from being made. */
import { createTokenSource } from "@daykey/client/token-source";
import { CLOCK_SKEW_SECONDS, DAY_SECONDS } from "@daykey/common/clock";
import { PATHS } from "@daykey/common/protocol";
import { type EndingSecretView, openAdminApi, type Page, pages } from "./admin-api.ts";
import { type Cli, insecure } from "./cli.ts";
import { metadataOf, skewOf } from "./client-endpoint.ts";
import { proofBy } from "./proof.ts";
import { DOCTOR_HINT, explain } from "./explain.ts";
import type { Found } from "./find-credential.ts";
import { accepted, type Answer, ask, objectIn } from "./http.ts";
import { isOpenToOthers } from "./private-file.ts";
import { faultInKeys } from "./public-keys.ts";
import { duration, epochOf, relativeTo } from "./times.ts";

export interface Check {
  name: string;
  status: "ok" | "fault" | "skipped";
  detail: string;
  /** What to do about it. */
  fix?: string;
}

type Outcome = Omit<Check, "name">;

/** What is believed right, and may yet be off by the whole seconds of `Date`. */
const NOTABLE_SKEW_SECONDS = 5;

/** A last secret that ends within a week is a fault, as it is an alert; until then it is named. */
const ENDING_FAULT_SECONDS = 7 * DAY_SECONDS;
const NAMED_SECRETS = 5;

export async function runChecks(cli: Cli, found: Found): Promise<Check[]> {
  const { issuer, resource } = found.credential;
  const checks: readonly (readonly [name: string, check: () => Promise<Outcome>])[] = [
    ["credential", async () => checkCredential(found)],
    ["auth-server", async () => checkReady(issuer)],
    ["clock", async () => checkClock(cli, issuer)],
    ["metadata", async () => checkMetadata(cli, issuer)],
    ["keys", async () => checkKeys(cli, issuer)],
    ["token", async () => checkToken(cli, found)],
    ["resource", async () => checkResource(issuer, resource)],
    ["admin API", async () => checkAdmin(found.adminUrl)],
    ["secrets", async () => checkSecrets(cli)],
  ];
  return Promise.all(checks.map(async ([name, check]) => ({ name, ...(await settled(check)) })));
}

/** A check that threw found a fault. */
async function settled(check: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await check();
  } catch (error) {
    const { message, hint } = explain(error);
    return fault(message, hint?.replace(DOCTOR_HINT, ""));
  }
}

function ok(detail: string): Outcome {
  return { status: "ok", detail };
}

function fault(detail: string, fix: string | undefined): Outcome {
  return { status: "fault", detail, ...(fix !== undefined && { fix }) };
}

async function get(url: string): Promise<Answer> {
  return ask(new URL(url).origin, async (signal) => fetch(url, { signal, redirect: "error" }));
}

async function checkCredential({ credential, place, file }: Found): Promise<Outcome> {
  const detail = `${credential.client_id}, from ${place}`;
  if (file === undefined || !(await isOpenToOthers(file))) return ok(detail);
  return fault(`${detail}, which others can read`, `chmod 600 ${file}`);
}

async function checkReady(server: string): Promise<Outcome> {
  const { status, json } = await get(`${server}/readyz`);
  if (status === 200) return ok(`${server} is ready`);
  const faults = (json as { faults?: Record<string, unknown> } | undefined)?.faults ?? {};
  const reasons = Object.entries(faults).map(([name, reason]) => `${name}: ${String(reason)}`);
  const detail = [`${server} answers ${status}`, ...reasons].join("; ");
  return fault(detail, "Look at its log.");
}

async function checkClock(cli: Cli, issuer: string): Promise<Outcome> {
  const { headers } = await get(`${issuer}/livez`);
  const skew = skewOf(headers, cli.clock());
  if (skew === undefined)
    return fault("the auth-server tells no time", "Does a proxy drop its Date?");
  const size = Math.abs(skew);
  if (size < NOTABLE_SKEW_SECONDS) return ok("this machine and the auth-server agree");
  const detail = `this machine is ${duration(size)} ${skew > 0 ? "behind" : "ahead"}`;
  if (size < CLOCK_SKEW_SECONDS)
    return ok(`${detail}; up to ${duration(CLOCK_SKEW_SECONDS)} is fine`);
  return fault(detail, "Set the clock, best by NTP.");
}

async function checkMetadata(cli: Cli, issuer: string): Promise<Outcome> {
  const { tokenEndpoint, introspectionEndpoint, revocationEndpoint } = await metadataOf(
    cli,
    issuer,
  );
  const offers = [
    "tokens",
    introspectionEndpoint === undefined ? "" : "introspection",
    revocationEndpoint === undefined ? "" : "revocation",
  ].filter(Boolean);
  return ok(`${new URL(tokenEndpoint).origin} offers ${offers.join(", ")}`);
}

async function checkKeys(cli: Cli, issuer: string): Promise<Outcome> {
  const url = (await metadataOf(cli, issuer)).jwksUri ?? `${issuer}${PATHS.jwks}`;
  const { keys } = objectIn<{ keys?: unknown }>(
    `GET ${url}`,
    accepted(`GET ${url}`, await get(url)),
  );
  const wrong = await faultInKeys(keys);
  if (wrong !== undefined) return fault(wrong, "Is this the auth-server's own answer?");
  const count = (keys as unknown[]).length;
  return ok(`${count} public ${count === 1 ? "key" : "keys"}, all well-formed`);
}

async function checkToken(cli: Cli, { credential }: Found): Promise<Outcome> {
  const { issuer, resource, token_endpoint: tokenEndpoint } = credential;
  const source = createTokenSource({
    issuer,
    tokenEndpoint,
    resource,
    credential: proofBy("once", credential),
    ...insecure(cli),
  });
  const { scope, expiresAt } = await source.token();
  return ok(`got one: ${scope.join(" ")}, for ${duration(expiresAt - cli.clock())}`);
}

async function checkResource(issuer: string, resource: string | undefined): Promise<Outcome> {
  if (resource === undefined || resource === issuer) {
    return { status: "skipped", detail: "the credential is for no resource-server" };
  }
  const what = `GET ${resource}${PATHS.protectedResourceMetadata}`;
  const answer = accepted(what, await get(`${resource}${PATHS.protectedResourceMetadata}`));
  const { authorization_servers: servers } = objectIn<{ authorization_servers?: unknown }>(
    what,
    answer,
  );
  if (Array.isArray(servers) && servers.includes(issuer)) return checkReady(resource);
  return fault(`${resource} does not accept tokens of ${issuer}`, "Is its ISSUER right?");
}

/** Seldom reachable from elsewhere, and rightly so. */
async function checkAdmin(adminUrl: string): Promise<Outcome> {
  try {
    return await checkReady(adminUrl);
  } catch (error) {
    const detail = `${explain(error).message}; only admin commands need it`;
    return { status: "skipped", detail };
  }
}

/** Only an admin's credential can ask, and only where the admin API is reachable. */
async function checkSecrets(cli: Cli): Promise<Outcome> {
  let page: Page<EndingSecretView>;
  try {
    const api = await openAdminApi(cli);
    page = await pages(api, "/secrets", { query: {}, cursor: undefined, all: false });
  } catch (error) {
    const { message, answer } = explain(error);
    const isRefused = (answer as { error?: unknown } | undefined)?.error === "invalid_client";
    if (isRefused) return fault(`the admin: ${message}`, "Has the admin's own secret ended?");
    return { status: "skipped", detail: `${message}; only an admin can ask` };
  }
  const { items, next_cursor: next } = page;
  if (items.length === 0) return ok("no client's last secret ends within 30 days");
  const now = cli.clock();
  const named = items
    .slice(0, NAMED_SECRETS)
    .map(({ client_id, state, expires_at }) =>
      [client_id, state === "ended" ? "ended" : "ends", relativeTo(expires_at, now)].join(" "),
    );
  const more = items.length > NAMED_SECRETS || next !== null ? ["and more"] : [];
  const detail = [...named, ...more].join(", ");
  const [first] = items;
  const isNear = (epochOf(first?.expires_at ?? null) ?? 0) - now < ENDING_FAULT_SECONDS;
  return isNear ? fault(detail, "daykey secrets ending lists them.") : ok(detail);
}
