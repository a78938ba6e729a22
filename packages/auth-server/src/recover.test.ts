/** The way back in: `recover-admin` as the program that an operator runs, beside a server that runs. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { adminWith, createTestAdmin } from "../test/admin.ts";
import { type Answer, ISSUER, startAuthServer, type TestAuthServer } from "../test/auth-server.ts";
import type { CredentialFile } from "./registration/credential-file.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));

let server: TestAuthServer;
beforeAll(async () => {
  server = await startAuthServer();
});
afterAll(() => server.stop());

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "daykey-recover-"));
  path = join(directory, "admin.json");
});
afterEach(() => rm(directory, { recursive: true }));

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

function recover(changes: Record<string, string> = {}): Promise<Outcome> {
  const env = {
    PATH: process.env["PATH"],
    NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"],
    ISSUER,
    DATABASE_URL: server.database.appUrl,
    MASTER_KEY: server.config.masterKey,
    ADMIN_CREDENTIAL_FILE: path,
    ...changes,
  };
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, "recover-admin"], { env }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}

async function admins(): Promise<number> {
  const [row] = await server.database.query(
    "select count(*)::int as count from daykey.clients where client_id like 'admin-%'",
  );
  return (row as { count: number }).count;
}

/** The file's client, at the running server, without waiting for it to look. */
async function signIn(): Promise<{ status: number; token: string; clientId: string }> {
  const file = JSON.parse(await readFile(path, "utf8")) as CredentialFile;
  const answer = await request(server, file);
  const token = String(answer.body["access_token"]);
  return { status: answer.status, token, clientId: file.client_id };
}

async function tokenOf(at: TestAuthServer, file: CredentialFile): Promise<string> {
  return String((await request(at, file)).body["access_token"]);
}

function request(at: TestAuthServer, file: CredentialFile): Promise<Answer> {
  return at.clientCredentials({
    clientId: file.client_id,
    clientSecret: file.client_secret,
    root: file.client_secret,
    salt: file.salt,
    kid: file.client_secret.split("_")[1] ?? "",
    expiresAt: 0,
  });
}

/** The one line of the log, beside the words for the operator. */
const told = (target: string, reason: string) => ({
  level: "warn",
  event: "admin_recovered",
  reason,
  change: "client.create",
  target,
});

test.each([
  ["nothing was lost", "select 1"],
  ["every admin is disabled", "update daykey.clients set enabled = false"],
  ["every admin was deleted", "update daykey.clients set deleted_at = now(), enabled = false"],
  ["every admin's scope was taken", "update daykey.clients set scopes = '{}'"],
  ["every secret has ended", "update daykey.secrets set expires_at = now() - interval '1 s'"],
  [
    "every secret was revoked",
    "update daykey.secrets set revoked_at = now(), verifiers = '', seed_verifiers = null",
  ],
])("an admin can be made again when %s", async (_state, sql) => {
  await createTestAdmin(server);
  await server.database.query(sql);
  const { code, stdout, stderr } = await recover();
  expect(code).toBe(0);
  const { status, token, clientId } = await signIn();
  expect(status).toBe(200);
  expect(stdout).toBe(`Made the admin ${clientId}; its credential is in ${path}.\n`);
  expect(JSON.parse(stderr)).toMatchObject(told(clientId, "operator_asked"));
  expect(stderr).not.toContain("dks_");
  expect((await stat(path)).mode & 0o777).toBe(0o600);

  const admin = adminWith(server, { clientId } as never, token);
  const { body } = await (await admin).get("/audit?limit=1");
  const [entry] = (body as { items: Record<string, unknown>[] }).items;
  expect(entry).toMatchObject({ actor: "(recovery)", action: "client.create", target: clientId });
  expect(JSON.stringify(entry)).not.toContain("dks_");
  expect((await (await admin).get("/audit/verify")).body).toMatchObject({ valid: true });
});

test("several at once each make an admin of their own, and the chain stays whole", async () => {
  const before = await admins();
  const paths = ["a", "b", "c"].map((name) => join(directory, name));
  const outcomes = await Promise.all(paths.map((file) => recover({ ADMIN_CREDENTIAL_FILE: file })));
  expect(outcomes.map(({ code }) => code)).toEqual([0, 0, 0]);
  expect(await admins()).toBe(before + 3);
  path = join(directory, "a");
  const { token, clientId } = await signIn();
  const admin = await adminWith(server, { clientId } as never, token);
  expect((await admin.get("/audit/verify")).body).toMatchObject({ valid: true });
});

test.each([
  [
    "another master key",
    { MASTER_KEY: "4f".repeat(8) + "91c3a7e05b2d68f4a1907e3cb5d28f06a4c9e17b3f50d826" },
    "MASTER_KEY is not the key",
  ],
  ["no file to write to", { ADMIN_CREDENTIAL_FILE: "" }, "ADMIN_CREDENTIAL_FILE"],
  [
    "a folder that is not there",
    { ADMIN_CREDENTIAL_FILE: "/nowhere/at/all.json" },
    "cannot be written",
  ],
])(
  "refuses, and changes nothing, with %s",
  async (_what, changes: Record<string, string>, said) => {
    const before = await admins();
    const { code, stdout, stderr } = await recover(changes);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(said);
    expect(stderr).not.toMatch(/ at .*\.ts/);
    expect(await admins()).toBe(before);
    expect(await readdir(directory)).toEqual([]);
  },
);

test.each(["a file", "a link to nowhere"])("leaves %s that is there alone", async (kind) => {
  if (kind === "a file") await writeFile(path, "mine");
  else await symlink(join(directory, "elsewhere"), path);
  const before = await admins();
  const { code, stderr } = await recover();
  expect([code, stderr]).toEqual([
    1,
    `${path} is there already: move it away; nothing was changed\n`,
  ]);
  expect(await admins()).toBe(before);
  expect(await readdir(directory)).toEqual(["admin.json"]);
});

const FOREIGN = `insert into daykey.audit_log (seq, at, actor, action, target, detail, hash)
  select coalesce(max(seq), 0) + 1, now(), 'x', 'client.change', 'x', '{"before":null,"after":null}',
    '\\x00' from daykey.audit_log`;
/** Bytes 1 to 8 name the master key. */
const OTHER_KEY = `update daykey.audit_head
  set sealed = overlay(sealed placing '\\xffffffffffffffff'::bytea from 2)`;

describe("a damaged audit log keeps nobody out who has the database and the master key", () => {
  let own: TestAuthServer;
  beforeEach(async () => void (own = await startAuthServer()));
  afterEach(() => own.stop());
  const recoverThere = () =>
    recover({ DATABASE_URL: own.database.appUrl, MASTER_KEY: own.config.masterKey });

  test.each([
    ["its head is altered", "update daykey.audit_head set sealed = '\\x00'", "head"],
    ["its head is gone", "delete from daykey.audit_head", "head"],
    ["its head names another master key", OTHER_KEY, "head"],
    ["another wrote a row", FOREIGN, "unknown"],
  ])("%s", async (_what, sql, damage) => {
    const someone = await createTestAdmin(own);
    await someone.create();
    await own.database.query(sql);
    await own.database.query("update daykey.clients set enabled = false");

    const { code, stdout, stderr } = await recoverThere();
    const [line = "", ...words] = stderr.split("\n").toSorted((a) => (a.startsWith("{") ? -1 : 1));
    expect([code, words.join("")]).toEqual([
      0,
      "The audit log was damaged; the recovery is recorded past the damage. Look with: daykey audit verify",
    ]);
    const file = JSON.parse(await readFile(path, "utf8")) as CredentialFile;
    expect(stdout).toContain(file.client_id);
    const reason = "operator_asked_past_audit_damage";
    expect(JSON.parse(line)).toMatchObject(told(file.client_id, reason));
    const [row] = await own.database.query<{ target: string; damage: string }>(
      "select target, detail->>'damage' as damage from daykey.audit_log where actor = '(recovery)'",
    );
    expect(row).toEqual({ target: file.client_id, damage });

    // The new admin works, its changes are recorded, and the damage is told of for good.
    const token = await tokenOf(own, file);
    const admin = await adminWith(own, { clientId: file.client_id } as never, token);
    expect((await admin.create()).status).toBe(201);
    expect((await admin.get("/audit/verify")).body).toMatchObject({ valid: false });
  });

  test("while the master key is being changed, a head under the new one is no damage", async () => {
    await (await createTestAdmin(own)).create();
    await own.database.query(OTHER_KEY);
    await own.database.query(`insert into daykey.keys
      select (jsonb_populate_record(k, jsonb_build_object('kid', 'other', 'sealed',
        overlay(k.sealed placing '\\xffffffffffffffff'::bytea from 2)))).* from daykey.keys k limit 1`);
    const { code, stderr } = await recoverThere();
    expect(code).toBe(1);
    expect(stderr).toContain("MASTER_KEY_PREVIOUS; nothing was changed");
    expect(await readdir(directory)).toEqual([]);
  });
});
