import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { EmbeddedPostgresError } from "./embedded-postgres-error.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded-postgres.ts";
import { isRunning, killPostmaster, serves } from "./postmaster.ts";
import { prepareDatabase } from "./prepare-database.ts";

const IS_ROOT = process.getuid?.() === 0;

/** A cluster that was made and stopped: a copy of it is one without initialising it. */
let made: string;
beforeAll(async () => {
  made = await mkdtemp(join(tmpdir(), "daykey-postgres-test-"));
  await chmod(made, 0o711);
  const cluster = await startEmbeddedPostgres({ directory: made, fsync: false });
  await cluster.stop();
});
afterAll(() => rm(made, { recursive: true, force: true, maxRetries: 5 }));

let scratch: string;
let directory: string;
let places: Set<string>;
let children: ChildProcess[];

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "daykey-postgres-test-"));
  await chmod(scratch, 0o711);
  directory = join(scratch, "postgres");
  places = new Set([directory, scratch]);
  children = [];
});

afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  for (const place of places) await killPostmaster(join(place, "data"));
  for (const place of places) await rm(place, { recursive: true, force: true, maxRetries: 5 });
});

/** The cluster of this test is there already, as most of them are not about its making. */
async function haveCluster(): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o711 });
  // With the owner of each file, which `fs.cp` does not keep.
  execFileSync("cp", ["-a", join(made, "data"), join(directory, "data")]);
}

async function start(options: { directory?: string; log?: (line: string) => void } = {}) {
  const cluster = await startEmbeddedPostgres({ directory, fsync: false, ...options });
  places.add(cluster.directory);
  return cluster;
}

async function query(cluster: EmbeddedPostgres, text: string, role = "postgres") {
  const client = new pg.Client({ connectionString: cluster.url("postgres", role) });
  // The server may be killed while this waits; the query then rejects.
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query({ text, rowMode: "array" })).rows.flat();
  } finally {
    await client.end();
  }
}

/** Another Node that starts the cluster, prints its process id and then runs `body`. */
function startElsewhere(body = ""): ChildProcess {
  const code = `
    import { startEmbeddedPostgres } from ${JSON.stringify(import.meta.resolve("./embedded-postgres.ts"))};
    import pg from "pg";
    const cluster = await startEmbeddedPostgres({ directory: process.argv[1], fsync: false });
    console.log(cluster.pid);
    setInterval(() => {}, 1000);
    ${body}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code, directory], {
    cwd: import.meta.dirname,
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  return child;
}

async function firstLines(child: ChildProcess, count: number): Promise<number[]> {
  let text = "";
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    if (text.split("\n").length > count) break;
  }
  return text.split("\n").slice(0, -1).map(Number);
}

/** Signals its whole process group, as Ctrl-C does. */
async function kill(child: ChildProcess, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
  process.kill(-(child.pid ?? 0), signal);
  await once(child, "exit");
}

async function killServer(pid: number): Promise<void> {
  process.kill(pid, "SIGKILL");
  while (await runs(pid)) await sleep(10);
}

const runs = (pid: number) => serves(pid, join(directory, "data"));

test("rows outlive a stop and a start", async () => {
  const first = await start();
  await query(first, "create table kept as select 7 as n");
  await first.stop();
  await first.stop();
  expect(await runs(first.pid)).toBe(false);

  expect(await query(await start(), "select n from kept")).toEqual([7]);
});

describe("a new cluster", () => {
  let cluster: EmbeddedPostgres;
  let home: string;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "daykey-postgres-test-"));
    await chmod(home, 0o711);
    cluster = await startEmbeddedPostgres({ directory: join(home, "postgres"), fsync: false });
  });
  afterAll(async () => {
    await cluster.stop();
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  });

  test("speaks UTF-8, sorts by bytes, lives in UTC and listens on no port", async () => {
    expect(
      await query(
        cluster,
        `select current_setting(name) from unnest(array['server_encoding', 'lc_messages', 'timezone',
          'log_timezone', 'listen_addresses', 'synchronous_commit', 'data_checksums']) name`,
      ),
    ).toEqual(["UTF8", "C", "UTC", "UTC", "", "on", "on"]);
    expect(await query(cluster, "select datcollate from pg_database")).toEqual(["C", "C", "C"]);
  });

  test("only this user can enter the folder of the socket", async () => {
    const socketDirectory = new URL(cluster.url("postgres", "postgres")).searchParams.get("host");

    expect((await stat(socketDirectory ?? "")).mode & 0o777).toBe(0o700);
  });

  test("a database is prepared once, also by many at once", async () => {
    await Promise.all([1, 2, 3].map(() => prepareDatabase({ cluster, name: "daykey" })));

    expect(
      await query(
        cluster,
        "select rolname, rolcanlogin, rolsuper from pg_roles where rolname like 'daykey%' order by 1",
      ),
    ).toEqual(
      ["daykey_app", "daykey_owner", "daykey_resource"].flatMap((role) => [role, true, false]),
    );
    expect(
      await query(
        cluster,
        "select pg_get_userbyid(datdba) from pg_database where datname = 'daykey'",
      ),
    ).toEqual(["daykey_owner"]);
    expect(await query(cluster, "select current_user", "daykey_app")).toEqual(["daykey_app"]);
  });
});

test.each(["SIGKILL", "SIGINT"] as const)(
  "a server outlives its starter's %s and is adopted with its rows",
  async (signal) => {
    await haveCluster();
    const starter = startElsewhere();
    const [pid] = await firstLines(starter, 1);
    await query(await start(), "create table kept as select 7 as n");
    await kill(starter, signal);
    const lines: string[] = [];
    const cluster = await start({ log: (line) => lines.push(line) });

    expect(cluster.pid).toBe(pid);
    expect(await query(cluster, "select n from kept")).toEqual([7]);
    expect(lines).toEqual([
      `using the PostgreSQL that still runs in ${cluster.directory} (process ${pid})`,
    ]);
    await cluster.stop();
    expect(await runs(cluster.pid)).toBe(false);
  },
);

test("of two starts at once both get the same server", async () => {
  const [first, second] = await Promise.all([start(), start()]);

  expect(first.pid).toBe(second.pid);
  expect(await readdir(directory)).toEqual(["data", "postgres.log", "socket"]);
});

test("no acknowledged row is lost when server and starter are killed while rows arrive", async () => {
  await haveCluster();
  const writer = startElsewhere(`
    const client = new pg.Client({ connectionString: cluster.url("postgres", "postgres") });
    await client.connect();
    await client.query("create table log (n integer primary key)");
    for (let n = 1; ; n += 1) {
      await client.query("insert into log values ($1)", [n]);
      console.log(n);
    }`);
  const [pid = 0, ...acknowledged] = await firstLines(writer, 200);
  await kill(writer);
  await killServer(pid);

  const cluster = await start();
  expect(cluster.pid).not.toBe(pid);
  const rows = await query(cluster, "select n from log order by n");
  expect(rows.slice(0, acknowledged.length)).toEqual(acknowledged);
});

test("a killed server's process id that another process has got since is no obstacle", async () => {
  await haveCluster();
  const killed = await start();
  await query(killed, "create table kept as select 7 as n");
  const other = spawn("/bin/sleep", ["60"], { ...(await serverUser(killed)), cwd: "/" });
  children.push(other);
  await killServer(killed.pid);
  for (const path of ["data/postmaster.pid", "socket/.s.PGSQL.5432.lock"]) {
    const file = join(killed.directory, path);
    const lines = (await readFile(file, "utf8")).split("\n");
    await writeFile(file, [other.pid, ...lines.slice(1)].join("\n"));
  }

  const cluster = await start();
  expect(await query(cluster, "select n from kept")).toEqual([7]);
  expect(isRunning(other.pid ?? 0)).toBe(true);
});

async function serverUser({ directory: place }: EmbeddedPostgres) {
  const { uid, gid } = await stat(join(place, "data"));
  return { uid, gid };
}

test("an initialisation killed half way is done again", async () => {
  const killed = startElsewhere();
  const begun = async () =>
    (await readdir(directory).catch(() => [])).some((name) => name.startsWith("data.building-"));
  while (!(await begun())) await sleep(5);
  await kill(killed);
  expect(await readdir(directory)).not.toContain("data");

  const cluster = await start();
  expect(await query(cluster, "select 1")).toEqual([1]);
});

test("what initialisations that were killed left behind is removed", async () => {
  const left = join(directory, "data.building-2147483647-abcdef");
  await mkdir(left, { recursive: true });
  await writeFile(join(left, "PG_VERSION"), "18");
  await start();

  expect(await readdir(directory)).toEqual(["data", "postgres.log", "socket"]);
});

test("a folder too long for a socket's path works, also after a kill", async () => {
  directory = join(directory, "long".repeat(30));
  places.add(directory);
  await haveCluster();
  const killed = await start();
  const former = new URL(killed.url("postgres", "postgres")).searchParams.get("host") ?? "";
  await killServer(killed.pid);

  const cluster = await start();
  expect(await query(cluster, "select 1")).toEqual([1]);
  await cluster.stop();
  await expect(stat(former)).rejects.toThrow("ENOENT");
});

test("a folder with odd characters in its name works", async () => {
  directory = join(directory, `a "b", 'c' %20 d\u00e9`);
  places.add(directory);

  await haveCluster();
  expect(await query(await start(), "select 1")).toEqual([1]);
});

test("a folder that cannot be written is told in one sentence", async () => {
  // Root may write everywhere but in the kernel's own file system.
  const unwritable = IS_ROOT ? "/sys/daykey" : join(scratch, "closed", "postgres");
  if (!IS_ROOT) await mkdir(join(scratch, "closed"), { mode: 0o500 });

  await expect(start({ directory: unwritable })).rejects.toThrow(
    new EmbeddedPostgresError(`The folder ${unwritable} is not writable.`),
  );
});

test("a file in the place of the folder is told in one sentence", async () => {
  await writeFile(directory, "");

  await expect(start()).rejects.toThrow(
    new EmbeddedPostgresError(`The folder ${directory} cannot be made: a file stands in its way.`),
  );
});

test.runIf(IS_ROOT)("a database that another user made is told in one sentence", async () => {
  await mkdir(join(directory, "data"), { recursive: true });

  await expect(start()).rejects.toThrow(
    new EmbeddedPostgresError(
      `The database in ${directory} belongs to user id 0: start as the user who made it.`,
    ),
  );
});

test("a setting that PostgreSQL refuses is told in its own words", async () => {
  await haveCluster();
  await expect(
    startEmbeddedPostgres({ directory, fsync: false, settings: { max_connections: "none" } }),
  ).rejects.toThrow(
    `PostgreSQL in ${directory} did not start: invalid value for parameter "max_connections": "none"`,
  );
});

test.runIf(IS_ROOT)(
  "root's closed folder keeps its cluster elsewhere, until it is deleted",
  async () => {
    await chmod(scratch, 0o700);
    const lines: string[] = [];
    const first = await start({ log: (line) => lines.push(line) });
    expect(first.directory).toMatch(/^\/var\/lib\/daykey\/[0-9a-f]{16}$/);
    expect(lines).toEqual([
      `user id 65534, which runs PostgreSQL, cannot reach ${directory}: using ${first.directory}`,
    ]);
    await query(first, "create table kept as select 7 as n");
    await first.stop();
    await chmod(scratch, 0o711);
    const second = await start();
    expect(await query(second, "select n from kept")).toEqual([7]);

    await chmod(scratch, 0o700);
    await rm(directory, { recursive: true });
    const third = await start();
    expect(third.directory).toBe(first.directory);
    await expect(query(third, "select n from kept")).rejects.toThrow(
      'relation "kept" does not exist',
    );
  },
);
