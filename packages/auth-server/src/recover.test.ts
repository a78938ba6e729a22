/** The way back in: `recover-admin` as the program that an operator runs, beside a server that runs. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { adminWith, createTestAdmin } from "../test/admin.ts";
import { ISSUER, startAuthServer, type TestAuthServer } from "../test/auth-server.ts";
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
  const answer = await server.clientCredentials({
    clientId: file.client_id,
    clientSecret: file.client_secret,
    root: file.client_secret,
    salt: file.salt,
    kid: file.client_secret.split("_")[1] ?? "",
    expiresAt: 0,
  });
  const token = String(answer.body["access_token"]);
  return { status: answer.status, token, clientId: file.client_id };
}

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
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const { status, token, clientId } = await signIn();
  expect(status).toBe(200);
  expect(stdout).toBe(`Made the admin ${clientId}; its credential is in ${path}.\n`);
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

test("what cannot be recorded is not done, and its file goes again", async () => {
  await server.database.query("update daykey.audit_head set sealed = '\\x00'");
  const before = await admins();
  const { code } = await recover();
  expect(code).toBe(1);
  expect(await admins()).toBe(before);
  expect(await readdir(directory)).toEqual([]);
});
