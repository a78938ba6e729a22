/** The commands of docs/how-to/back-up-and-restore.md, with PostgreSQL's own tools. */
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { createTestAdmin } from "@daykey/auth-server/test/admin";
import { ISSUER, startAuthServer, type TestAuthServer } from "@daykey/auth-server/test/auth-server";
import { openTestDatabase, type TestDatabase } from "@daykey/service/test/database";
import { machineTool } from "@daykey/service/test/machine-tool";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { commandsOf } from "../test/documents.ts";
import { ROOT } from "../test/stack.ts";

const PAGE = "docs/how-to/back-up-and-restore.md";

describe.skipIf(!hasTools())("the commands to back up and restore", () => {
  let folder: string;
  let server: TestAuthServer | undefined;
  let restored: TestDatabase | undefined;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "daykey-back-up-"));
  });
  afterAll(async () => {
    await server?.stop();
    await restored?.drop();
    rmSync(folder, { recursive: true });
  });

  /** Runs a block of the page on a database of this test. */
  async function run(
    block: string,
    database: string,
    env: Record<string, string> = {},
  ): Promise<string> {
    const superuser = new URL(inject("cluster").adminUrl);
    const owner = openTestDatabase(database);
    const commands = commandsOf(PAGE, block)
      .replaceAll("postgresql://daykey_owner:…@db/daykey", `'${owner.ownerUrl}'`)
      .replaceAll(/ daykey$/gm, ` ${database}`)
      .replaceAll(/ daykey (?=daykey\.dump)/g, ` ${database} `)
      .replaceAll("daykey.dump", join(folder, "daykey.dump"))
      // Nobody is asked where there is no terminal.
      .replace("daykey restored", "daykey restored --yes");
    const bin = join(ROOT, "node_modules/.bin");
    const all = {
      PATH: `${dirname(process.execPath)}:${bin}:${process.env["PATH"]}`,
      HOME: folder,
      PGHOST: superuser.searchParams.get("host") ?? superuser.hostname,
      PGPORT: superuser.port,
      PGUSER: superuser.username,
      PGPASSWORD: superuser.password,
      ...env,
    };
    const { stdout } = await promisify(execFile)("sh", ["-ec", commands], { cwd: ROOT, env: all });
    return stdout;
  }

  test("a restore revives a deleted client, `daykey restored` ends every token, and the audit log is whole", async () => {
    const before = await startAuthServer();
    const admin = await createTestAdmin(before);
    const client = await before.createClient();
    await before.look();
    const { body } = await before.clientCredentials(client);
    const token = String(body["access_token"]);
    const name = new URL(before.database.ownerUrl).pathname.slice(1);
    await run("back up", name);
    expect((await admin.call("DELETE", `/clients/${client.clientId}`)).status).toBe(204);
    await before.stop();

    const copy = `${name}_restored`;
    await run("restore", copy);
    restored = openTestDatabase(copy);
    server = await startAuthServer({ database: restored });
    const introspected = async () =>
      (await server?.postAs(client, "/oauth2/introspect", { token }))?.body["active"];
    expect(await introspected()).toBe(true);

    const credential = {
      issuer: ISSUER,
      token_endpoint: `${server.url}/oauth2/token`,
      client_id: admin.client.clientId,
      client_secret: admin.client.clientSecret,
      salt: admin.client.salt,
      admin_url: `${server.privateUrl}/admin/v1`,
    };
    const file = join(folder, "admin.json");
    writeFileSync(file, JSON.stringify(credential), { mode: 0o600 });
    const env = { DAYKEY_CREDENTIAL_FILE: file };
    await run("declare", copy, env);
    await server.look();
    expect(await introspected()).toBe(false);
    expect((await server.clientCredentials(client)).status).toBe(200);
    // A one-time hash of the very second of `restored` may be refused.
    const check = () => run("check", copy, env).catch(String);
    await expect.poll(check, { timeout: 60_000, interval: 500 }).toMatch(/^valid /m);
  }, 180_000);
});

/** The tools refuse a server that is newer than they are. */
function hasTools(): boolean {
  const tool = machineTool("pg_dump", "postgresql-client");
  if (tool === undefined) return false;
  const { stdout } = spawnSync(tool, ["--version"], { encoding: "utf8" });
  if (Number(/ (\d+)/.exec(stdout)?.[1]) >= 18) return true;
  process.stderr.write(`SKIPPED: ${stdout.trim()} is older than 18, so ${PAGE} is not tested.\n`);
  return false;
}
