/** `daykey` against the real servers: a client's whole life by the command line alone. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Outcome } from "@daykey/cli/test/run-daykey";
import { startEmbeddedPostgres } from "@daykey/local/embedded-postgres";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePorts } from "@daykey/service/test/free-ports";
import {
  callAgainAndAgain,
  type CommandLine,
  compact,
  startCommandLine,
  steady,
} from "../test/daykey.ts";
import { ROOT } from "../test/stack.ts";

/** A process a try. */
const POLL = { timeout: 15_000 };

let line: CommandLine;
let issuer: string;
let resource: string;
let daykey: CommandLine["daykey"];
let result: CommandLine["result"];

beforeAll(async () => {
  line = await startCommandLine();
  ({ issuer, resource, daykey, result } = line);
});
afterAll(() => line.stop());

const read = (name: string): Promise<string> => readFile(join(line.folder, name), "utf8");
const secretIn = async (name: string): Promise<string> =>
  (JSON.parse(await read(name)) as { client_secret: string }).client_secret;

interface Secrets {
  items: { kid: string; live: boolean }[];
}
const kids = async (id: string): Promise<string[]> =>
  (JSON.parse(await result(`secrets list ${id} --json`)) as Secrets).items.map(({ kid }) => kid);

const create = (id: string, ...more: string[]): Promise<Outcome> =>
  daykey(
    [
      `clients create ${id} --name ${id} --resource ${resource} --scope time:read primes:check`,
      ...more,
    ].join(" "),
  );

test("npx daykey works in the workspace", async () => {
  const manifest = await readFile(join(ROOT, "packages/cli/package.json"), "utf8");
  const { version } = JSON.parse(manifest) as { version: string };
  const printed = execFileSync("npx", ["daykey", "--version"], { cwd: ROOT, stdio: "pipe" });
  expect(printed.toString()).toBe(`${version}\n`);
});

test("a client is made, calls both resources, rotates its secret without a failed call, and ends", async () => {
  const created = await create("billing", "--save billing.json");
  expect(created).toEqual({
    code: 0,
    stdout: "",
    stderr:
      "The secret is in billing.json, readable by you alone.\nNext: daykey token --credential billing.json\n",
  });
  expect((await stat(join(line.folder, "billing.json"))).mode & 0o777).toBe(0o600);
  const firstSecret = await secretIn("billing.json");

  const time = await result("time --credential billing.json --zone Europe/Paris");
  expect(time).toMatch(/^2\d{3}-\d\d-\d\dT[\d:.]+\+0[12]:00 Europe\/Paris\n$/);
  expect(await result(`prime ${2n ** 127n - 1n} --verify --credential billing.json`)).toBe(
    `${2n ** 127n - 1n} is prime (proven)\nverified here: a certificate of 2 steps (Pratt)\n`,
  );

  const loop = callAgainAndAgain(line, "time --credential billing.json");
  const rotated = await daykey("secrets rotate billing --overlap 2h --save billing.json");
  const [newKid = "", oldKid = ""] = await kids("billing");
  expect([rotated.code, rotated.stdout, steady(rotated.stderr)]).toEqual([
    0,
    "",
    [
      "The secret is in billing.json, readable by you alone.",
      "The old secret <kid> works until <time>, 2 h from now.",
      "Next: give the client the new secret, and see in daykey secrets list billing that it is used.",
      `Then let the old one end, or end it and what it opened: daykey secrets revoke billing <kid>`,
      "",
    ].join("\n"),
  ]);
  expect(compact(await result("secrets list billing"))).toBe(
    [
      "KID  KIND  STATE  CREATED  LAST USED  ENDS",
      "<kid>  generated  live  <ago>  -  in 366 d",
      "<kid>  generated  live  <ago>  -  in 2 h",
      "",
    ].join("\n"),
  );
  const third = await daykey("secrets rotate billing");
  expect([third.code, third.stdout]).toEqual([1, ""]);
  expect(third.stderr).toContain(
    "The client has two live secrets; revoke one first (409 from POST",
  );

  expect(await result(`secrets revoke billing ${oldKid} --yes`)).toBe(`${oldKid} is revoked\n`);
  const codes = await loop.stop();
  expect(new Set(codes)).toEqual(new Set([0]));
  expect(codes.length).toBeGreaterThan(2);
  expect(await secretIn("billing.json")).toContain(`dks_${newKid}_`);
  expect(await secretIn("billing.json")).not.toBe(firstSecret);

  const token = await result("token --credential billing.json");
  await writeFile(join(line.folder, "token"), token);
  expect((await daykey("time --token-file token")).code).toBe(0);
  const said = JSON.parse(
    await result("introspect --credential billing.json --json", { input: token }),
  ) as object;
  expect(said).toMatchObject({ active: true, client_id: "billing", aud: resource, iss: issuer });
  const cut = await daykey("revoke --credential billing.json", { input: token.slice(0, -6) });
  expect(cut.code).toBe(1);
  const ended = await result("revoke --credential billing.json", { input: token });
  expect(ended).toMatch(/^revoked: .*\nclient  billing\n/);
  expect((await daykey("revoke --credential billing.json", { input: token })).code).toBe(1);
  expect(await result("introspect --credential billing.json", { input: token })).toBe("inactive\n");
  await expect.poll(async () => (await daykey("time --token-file token")).code, POLL).toBe(1);
});

test("a pair is refreshed, and the answers are those of the token endpoint", async () => {
  const pair = await result("token --json");
  expect(JSON.parse(pair)).toEqual({
    access_token: expect.any(String),
    token_type: "Bearer",
    expires_in: 600,
    scope: "time:read primes:check",
    refresh_token: expect.any(String),
  });
  const next = await result("token --refresh --json --scope time:read", { input: pair });
  expect(JSON.parse(next)).toMatchObject({ expires_in: 600, scope: "time:read" });
});

test.each(["once", "day", "basic", "post"])("a token is got in the form %s", async (form) => {
  expect(await result(`token --form ${form}`)).toMatch(/^eyJ[\w.-]+\n$/);
});

test("B1: a client of the day-key proof calls with nothing but its secret, and without a proof is refused", async () => {
  await create("day", "--form once --dpop day-key --save day.json");
  const token = await result("token --credential day.json");
  await writeFile(join(line.folder, "day-token"), token);
  const stolen = await daykey("time --credential day.json --token-file day-token");
  expect([stolen.code, stolen.stdout]).toEqual([1, ""]);
  expect(await result("time --credential day.json --dpop day-key")).toContain("UTC");
  expect((await daykey("time --credential day.json --dpop")).stderr).toMatch(/invalid_dpop_proof/);
  expect(await result("time --dpop")).toContain("UTC");
});

const NULLS = "access_token_seconds refresh_idle_seconds refresh_absolute_seconds resource_scopes";
test("a client is shown, changed, turned off and on, and deleted", async () => {
  await create("shop", "--refresh --save shop.json");
  expect(JSON.parse(await result("clients show shop --json"))).toEqual({
    client_id: "shop",
    name: "shop",
    enabled: true,
    epoch: 0,
    auth_methods: ["client_secret_hash_once", "client_secret_hash_day"],
    grant_types: ["client_credentials", "refresh_token"],
    scopes: ["time:read", "primes:check"],
    resources: [resource],
    ...Object.fromEntries(NULLS.split(" ").map((name) => [name, null])),
    access_token_format: "jwt",
    jwks_uri: null,
    require_assertion_typ: false,
    dpop: "optional",
    exchange: null,
    tls_client_auth: null,
    tls_client_certificate_bound_access_tokens: false,
    quotas: [],
    token_quotas: [],
    ext: {},
    created_at: expect.any(String),
    updated_at: expect.any(String),
    version: 1,
  });
  const change = "--scope time:read --no-refresh --access-token-seconds 60";
  expect(steady(await result(`clients update shop ${change}`))).toBe(
    [
      "client_id         shop",
      "name              shop",
      "state             enabled",
      "auth methods      client_secret_hash_once client_secret_hash_day",
      "grant types       client_credentials",
      "scopes            time:read",
      `resources         ${resource}`,
      "access token      jwt, 60 s",
      "refresh idle      the server's setting",
      "refresh absolute  the server's setting",
      "quotas            none",
      "epoch             0",
      "created           <time> (<ago>)",
      "updated           <time> (<ago>)",
      "version           2",
      "",
    ].join("\n"),
  );
  expect(await result("clients disable shop --yes")).toBe("shop is disabled\n");
  await expect.poll(async () => (await daykey("token --credential shop.json")).code, POLL).toBe(1);
  expect(await result("clients enable shop")).toBe("shop is enabled\n");
  await expect.poll(async () => (await daykey("token --credential shop.json")).code, POLL).toBe(0);
  expect(await result("clients delete shop --yes")).toBe("shop is deleted\n");
  expect(await daykey("clients show shop")).toEqual({
    code: 1,
    stdout: "",
    stderr: "daykey: There is no such client (404 from GET /admin/v1/clients/shop)\n",
  });
});

test("lists come page by page, or whole", async () => {
  const first = JSON.parse(await result("clients list --limit 1 --json")) as {
    items: object[];
    next_cursor: string;
  };
  const next = JSON.parse(
    await result(`clients list --limit 1 --cursor ${first.next_cursor} --json`),
  ) as typeof first;
  const all = JSON.parse(await result("clients list --all --json")) as typeof first;
  expect([...first.items, ...next.items]).toEqual(all.items.slice(0, 2));
  expect(all.next_cursor).toBeNull();
  expect(compact(await result("clients list --search DEMO"))).toBe(
    "CLIENT  NAME  STATE  SCOPES  CREATED\ndemo  demo  enabled  time:read primes:check  <ago>\n",
  );
});

test("a resource is added, changed and removed", async () => {
  const uri = "https://orders.example.com";
  await result(`resources add ${uri} --name Orders --scope read write`);
  expect(await result(`resources update ${uri} --scope read --owner demo`)).toBe(
    `uri     ${uri}\nname    Orders\nscopes  read\nowner   demo\n`,
  );
  expect(await result(`resources remove ${uri} --yes`)).toBe(`${uri} is removed\n`);
});

test("a key rotates, and what the doctor says", async () => {
  expect(await result("keys rotate --in 1h")).toMatch(/^\S+ signs in (60 min|1 h)\n$/);
  expect(await result("keys list")).toMatch(/access_token +ES256 +next/);
  const told = await result("doctor");
  expect(told).toBe(
    [
      `ok       credential   demo, from ${join(line.place.home, "demo-client.json")}`,
      `ok       auth-server  ${issuer} is ready`,
      "ok       clock        this machine and the auth-server agree",
      `ok       metadata     ${issuer} offers tokens, introspection, revocation`,
      "ok       keys         2 public keys, all well-formed",
      "ok       token        got one: time:read primes:check, for 10 min",
      `ok       resource     ${resource} is ready`,
      `ok       admin API    ${line.adminUrl} is ready`,
      "ok       secrets      no client's last secret ends within 30 days",
      "",
    ].join("\n"),
  );
});

test("the doctor finds a file that others can read, and what does not answer", async () => {
  const [port = 0] = await freePorts(1);
  const gone = `http://localhost:${port}`;
  const demo = JSON.parse(await line.place.file("demo-client.json")) as object;
  const file = join(line.folder, "astray.json");
  await writeFile(file, JSON.stringify({ ...demo, issuer: gone, token_endpoint: `${gone}/x` }));
  await chmod(file, 0o644);
  const { code, stdout, stderr } = await daykey("doctor --credential astray.json");
  expect([code, stderr]).toEqual([
    4,
    "daykey: Not right: credential, auth-server, clock, metadata, keys, token, resource\n",
  ]);
  expect(stdout).toContain(
    "fault    credential   demo, from astray.json, which others can read  → chmod 600 astray.json\n",
  );
  expect(stdout).toContain(`fault    auth-server  ${gone} cannot be reached (ECONNREFUSED)`);
});

test("without a server an admin command is exit code 3", async () => {
  const [port] = await freePorts(1);
  const { code, stdout, stderr } = await daykey(
    `clients list --admin-url http://127.0.0.1:${port}`,
  );
  expect([code, stdout]).toEqual([3, ""]);
  expect(stderr).toBe(
    `daykey: The admin API at http://127.0.0.1:${port} cannot be reached (ECONNREFUSED)\nIs it running, and is the address right? daykey doctor looks closer.\n`,
  );
});

test("an app's credential does not administrate", async () => {
  const { code, stderr } = await daykey(
    `clients list --credential ${line.place.home}/demo-client.json`,
  );
  expect(code).toBe(1);
  expect(stderr).toContain("For an admin command, use an admin's credential");
});

test("audit tail ends at Ctrl-C without a word", async () => {
  const { DAYKEY_HOME } = line.place.env;
  const child = spawn(
    process.execPath,
    [`${ROOT}/packages/cli/bin/daykey.mjs`, "audit", "tail", "-f"],
    {
      cwd: line.folder,
      env: {
        ...process.env,
        DAYKEY_HOME,
        DAYKEY_ADMIN_URL: line.adminUrl,
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let complaints = "";
  child.stderr.on("data", (chunk: Buffer) => (complaints += chunk.toString()));
  let rows = "";
  child.stdout.on("data", (chunk: Buffer) => (rows += chunk.toString()));
  await expect
    .poll(() => rows)
    .toMatch(/^\d+ {2}\d{4}-\d\d-\d\d .* {2}admin {2}client\.create {2}/m);
  child.kill("SIGINT");
  const [code] = (await once(child, "exit")) as [number];
  expect([code, complaints]).toEqual([130, ""]);
});

test("A1: audit verify finds a row that a superuser altered, with exit code 4", async () => {
  expect(await result("audit verify")).toMatch(/^valid {2}\d+ changes\nhead {3}[0-9a-f]{64}\n$/);
  const directory = join(line.place.home, "postgres");
  const cluster = await startEmbeddedPostgres({ directory, passwordFile: `${directory}-password` });
  const client = new pg.Client({ connectionString: cluster.url("daykey", "postgres") });
  await client.connect();
  await client.query("update daykey.audit_log set actor = 'nobody' where seq = 2");
  await client.end();
  expect(await daykey("audit verify")).toEqual({
    code: 4,
    stdout: "",
    stderr:
      "daykey: The audit log is not whole: change 2 is the first that is wrong (changed)\nKeep the database as it is, and compare it with a backup.\n",
  });
  const { stdout } = await daykey("audit verify --json");
  expect(JSON.parse(stdout)).toEqual({ valid: false, first_bad_seq: 2, reason: "changed" });
});

test("no secret, hash or token was ever written to standard error, nor a colour to a pipe", async () => {
  const notes = line.notes();
  for (const file of ["billing.json", "shop.json"])
    expect(notes).not.toContain(await secretIn(file));
  expect(notes).not.toMatch(/dks_|eyJ|dkr1\.|[0-9a-f]{64}|correct horse/);
  expect([notes.length > 500, notes.includes("\u001B")]).toEqual([true, false]);
});
