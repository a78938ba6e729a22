/** Root's PostgreSQL runs as a user that other programs run as too, so it asks for passwords. */
import { chmod, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded-postgres.ts";
import { prepareDatabase } from "./prepare-database.ts";

let scratch: string;
let passwordFile: string;
let cluster: EmbeddedPostgres;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "daykey-postgres-test-"));
  await chmod(scratch, 0o711);
  passwordFile = join(scratch, "password");
});
afterEach(async () => {
  await cluster.stop();
  await rm(scratch, { recursive: true, force: true, maxRetries: 5 });
});

async function start(options: { passwordFile?: string } = {}): Promise<EmbeddedPostgres> {
  cluster = await startEmbeddedPostgres({
    directory: join(scratch, "postgres"),
    fsync: false,
    ...options,
  });
  return cluster;
}

async function rows(text: string, role = "postgres"): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: cluster.url("postgres", role) });
  await client.connect();
  try {
    return (await client.query({ text, rowMode: "array" })).rows.flat();
  } finally {
    await client.end();
  }
}

describe.runIf(process.getuid?.() === 0)("started by root with a file for passwords", () => {
  async function reasonWithout(role: string): Promise<unknown> {
    const url = new URL(cluster.url("postgres", role));
    url.password = "";
    const client = new pg.Client({ connectionString: url.href });
    try {
      await client.connect();
      return "let in";
    } catch (error) {
      return (error as Error).message;
    } finally {
      await client.end();
    }
  }

  test("every role is asked for a password, which stands in that file alone", async () => {
    await start({ passwordFile });
    await prepareDatabase({ cluster, name: "daykey", passwordOf: cluster.passwordOf });
    for (const role of ["postgres", "daykey_owner", "daykey_app", "daykey_resource"]) {
      expect(await rows("select current_user", role)).toEqual([role]);
      expect(await reasonWithout(role)).toMatch(/password/);
    }
    expect((await stat(passwordFile)).mode & 0o777).toBe(0o600);
    expect((await stat(passwordFile)).uid).toBe(0);
  });

  test("a cluster that was made without asks for them from its next start on", async () => {
    await start();
    await rows("create table kept as select 7 as n");
    expect(await reasonWithout("postgres")).toBe("let in");
    await cluster.stop();
    await start({ passwordFile });
    expect(await reasonWithout("postgres")).toMatch(/password/);
    expect(await rows("select n from kept")).toEqual([7]);
  });
});
