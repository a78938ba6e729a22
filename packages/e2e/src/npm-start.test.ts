import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { copyFile, cp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import {
  createPlace,
  npmStart,
  type Place,
  ROOT,
  type Run,
  run,
  sleep,
  untilPrinted,
} from "../test/stack.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const LAUNCHER = join(ROOT, "packages/local/src/main.ts");
const CLI = join(ROOT, "packages/cli/bin/daykey.mjs");
const NUMBER = "172983479832623897492387592384682937659382477";

/** What the first run left, for those that come later. A start takes seconds, so few tests have their own. */
let kept: Place;
let first: Run;
beforeAll(async () => {
  kept = await createPlace();
  first = npmStart(kept, "--once");
  await first.ended;
});
afterAll(() => kept.remove());

let place: Place;
beforeEach(async () => {
  place = await createPlace();
});
afterEach(() => place.remove());

/** Processes whose command line or environment names all these texts. */
function processesOf(...texts: string[]): string[] {
  const list = execFileSync("ps", ["axeww", "-o", "pid=,args="], { encoding: "utf8" });
  return list
    .split("\n")
    .filter((line) => texts.every((text) => line.includes(text)) && !line.includes("ps axeww"))
    .map((line) => line.trim().slice(0, 100));
}

/** Where the cluster of a home really is. */
function clusterOf(home: string): string {
  const directory = join(home, "postgres");
  try {
    return readlinkSync(join(directory, "moved-to"));
  } catch {
    return directory;
  }
}

/** What still runs after five seconds. */
async function leftOf(...texts: string[]): Promise<string[]> {
  for (let tries = 0; tries < 100 && processesOf(...texts).length > 0; tries++) await sleep(50);
  return processesOf(...texts);
}

describe("npm start -- --once", () => {
  test("does the main job on real input, shows each step, exits 0 and leaves nothing running", async () => {
    const output = first.output();
    expect(await first.ended, output).toBe(0);
    for (const step of [
      /1\. Today's hash of demo's secret, for \d{4}-\d\d-\d\d \(UTC\)\n {3}[0-9a-f]{64}\n/,
      /2\. POST \/oauth2\/token, grant_type=client_credentials\n {3}\{\n {5}"access_token": "eyJ/,
      /"aud": "http:\/\/localhost:\d+",/,
      /3\. GET \/time\n {3}\{"time":"\d{4}-\d\d-\d\dT/,
      new RegExp(
        `4\\. GET /primes/${NUMBER}\\n {3}\\{"number":${NUMBER},"prime":false,"certainty":"proven"`,
      ),
      /5\. POST \/oauth2\/token, grant_type=refresh_token\n {3}\{\n {5}"access_token": "eyJ/,
      /6\. GET \/time, with the new token\n {3}\{"time":"\d{4}-\d\d-\d\dT/,
      /Everything worked; stopping\.\n$/,
    ]) {
      expect(output).toMatch(step);
    }
    expect(await leftOf(kept.home)).toEqual([]);
  });

  test("A2: credentials and master key are files of mode 0600", () => {
    for (const name of [
      "admin-client.json",
      "demo-client.json",
      "resource-server-client.json",
      "master-key",
    ]) {
      expect([name, statSync(join(kept.home, name)).mode & 0o777]).toEqual([name, 0o600]);
    }
  });

  test("after kill -9 the servers end by themselves, and the next run keeps clients and keys, on other ports too", async () => {
    const started = run(process.execPath, [LAUNCHER], kept.env);
    await untilPrinted(started, "Ctrl-C stops everything.");
    const before = await kept.credential("demo-client.json");
    const serverPorts = [kept.env["AUTH_PORT"], kept.env["RESOURCE_PORT"]];
    for (const port of serverPorts) {
      expect(processesOf("-server/src/main.ts", ` PORT=${port}`)).toHaveLength(1);
    }
    started.child.kill("SIGKILL");
    await started.ended;
    for (const port of serverPorts) {
      expect(await leftOf("-server/src/main.ts", ` PORT=${port}`)).toEqual([]);
    }
    const moved = { ...place.env, DAYKEY_HOME: kept.home };
    const again = run("npm", ["start", "--", "--once"], moved);
    expect(await again.ended, again.output()).toBe(0);
    expect(await kept.credential("demo-client.json")).toEqual({
      ...before,
      issuer: `http://localhost:${place.env["AUTH_PORT"]}`,
      token_endpoint: `http://localhost:${place.env["AUTH_PORT"]}/oauth2/token`,
      resource: `http://localhost:${place.env["RESOURCE_PORT"]}`,
    });
  });

  test("a lost master key is not made anew beside the database that needs it; --recover-admin makes another admin", async () => {
    const file = join(kept.home, "master-key");
    const key = await readFile(file, "utf8");
    await rm(file);
    const started = run(process.execPath, [LAUNCHER, "--once"], kept.env);
    expect(await started.ended).toBe(1);
    expect(started.output()).toBe(
      `The master key ${file} is lost, and the database in ${join(kept.home, "postgres")} cannot be used without it. Put the file back, or remove ${kept.home} to begin anew.\n`,
    );
    await writeFile(file, key, { mode: 0o600 });

    const before = await kept.credential("admin-client.json");
    expect(before.client_id).toBe("admin");
    const older = join(kept.home, "admin-client.json.old");
    await copyFile(join(kept.home, "demo-client.json"), older);
    const again = npmStart(kept, "--recover-admin", "--once");
    expect(await again.ended, again.output()).toBe(0);
    const { client_id } = await kept.credential("admin-client.json");
    expect(client_id).toMatch(/^admin-[a-z0-9]{8}$/);
    expect(again.output()).toContain(`  made the admin ${client_id}, in `);
    expect(again.output()).toContain("admin-client.json.old-2\n");
    expect(await kept.credential("admin-client.json.old-2")).toEqual(before);
    expect((await kept.credential("admin-client.json.old")).client_id).toBe("demo");
    expect(statSync(join(kept.home, "admin-client.json")).mode & 0o777).toBe(0o600);
    const lines = readFileSync(join(kept.home, "recover-admin.log"), "utf8").trim().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { target: string }).target)).toEqual([
      client_id,
    ]);
  });

  test("clients that were deleted have successors, and a disabled one is named; it starts either way", async () => {
    const daykey = (...args: string[]) =>
      run(process.execPath, [CLI, ...args, "--yes"], {
        ...kept.env,
        DAYKEY_ADMIN_URL: `http://127.0.0.1:${kept.env["AUTH_PRIVATE_PORT"]}`,
        DAYKEY_CREDENTIAL_FILE: join(kept.home, "admin-client.json"),
      });
    const started = npmStart(kept);
    await untilPrinted(started, "Ctrl-C stops everything.");
    expect(await daykey("clients", "delete", "demo").ended).toBe(0);
    expect(await daykey("clients", "disable", "resource-server").ended).toBe(0);
    started.child.kill("SIGTERM");
    expect(await started.ended).toBe(0);
    expect(await leftOf(kept.home)).toEqual([]);

    const short = npmStart(kept, "--once");
    const sentence =
      "The client resource-server is disabled: npx daykey clients enable resource-server\n";
    expect(await short.ended).toBe(1);
    expect(short.output()).toContain(sentence);

    const again = npmStart(kept);
    await untilPrinted(again, "Ctrl-C stops everything.");
    expect(again.output()).toContain(`${sentence}The servers stay up.\n`);
    expect(again.output()).toContain("client_id=demo-2 ");
    expect(await daykey("clients", "delete", "resource-server").ended).toBe(0);
    again.child.kill("SIGTERM");
    expect(await again.ended).toBe(0);

    const last = npmStart(kept, "--once");
    expect(await last.ended, last.output()).toBe(0);
    expect(last.output()).toContain("Today's hash of demo-2's secret");
    expect(await kept.credential("resource-server-client.json")).toMatchObject({
      client_id: "resource-server-2",
    });
  });
});

/** One start for all of these, and the last of them stops it. */
describe("npm start of a clone in a folder with a space, with a quote in its home's name", () => {
  let own: Place;
  let home: string;
  let started: Run;
  let stops: () => Promise<void>;
  const fileOf = async (name: string) =>
    JSON.parse(await readFile(join(home, name), "utf8")) as Record<string, string>;
  beforeAll(async () => {
    own = await createPlace();
    home = join(own.home, "it's a place");
    const folder = join(own.home, "a clone");
    await cp(join(ROOT, "packages"), join(folder, "packages"), {
      recursive: true,
      verbatimSymlinks: true,
    });
    await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
    const launcher = join(folder, "packages/local/src/main.ts");
    const env = { ...own.env, DAYKEY_HOME: home };
    started = run(process.execPath, [launcher, "--recover-admin"], env);
    stops = async () => {
      started.child.kill("SIGTERM");
      await started.ended;
    };
    await untilPrinted(started, "Ctrl-C stops everything.");
  });
  afterAll(async () => {
    await stops();
    await own.remove();
  });

  test("prints shell lines that work when pasted", () => {
    const lines = started.output().split("in this folder:\n")[1]?.split("Ctrl-C")[0] ?? "";
    const pasted = execFileSync("bash", ["-c", lines], { cwd: ROOT, encoding: "utf8" });
    const [token, time, prime] = pasted.trim().split("\n");
    expect(JSON.parse(token ?? "")).toMatchObject({ token_type: "Bearer", expires_in: 600 });
    expect(JSON.parse(time ?? "")).toMatchObject({ zone: "UTC" });
    expect(prime).toContain(`{"number":${NUMBER},"prime":false`);
  });

  test("--recover-admin of a first start makes the first admin", async () => {
    expect(started.output()).toContain("  this is a first start: it makes the first admin\n");
    expect((await fileOf("admin-client.json"))["client_id"]).toBe("admin");
    expect(existsSync(join(home, "admin-client.json.old"))).toBe(false);
  });

  test("a second start with the same folder ends with a sentence, and the first goes on", async () => {
    const before = await fileOf("demo-client.json");
    const second = run(process.execPath, [LAUNCHER], { ...place.env, DAYKEY_HOME: home });
    expect(await second.ended).toBe(1);
    expect(second.output()).toBe(
      `Another npm start runs with the folder ${home}. Stop it first, or set DAYKEY_HOME to another folder.\n`,
    );
    expect(await fileOf("demo-client.json")).toEqual(before);
    const ready = await fetch(`http://127.0.0.1:${own.env["AUTH_PRIVATE_PORT"]}/readyz`);
    expect(ready.status).toBe(200);
  });

  test("PostgreSQL that is killed is told of and started again, and the servers go on", async () => {
    const pids = await readFile(join(clusterOf(home), "data", "postmaster.pid"), "utf8");
    process.kill(Number(pids.split("\n")[0]), "SIGKILL");
    await untilPrinted(started, "PostgreSQL runs again.");
    const client = await fileOf("demo-client.json");
    const endpoint = client["token_endpoint"] ?? "";
    const body = new URLSearchParams({
      grant_type: "client_credentials",
      client_id: client["client_id"] ?? "",
      client_secret: client["client_secret"] ?? "",
    });
    const grant = async () => {
      const answer = await fetch(endpoint, { method: "POST", body });
      const { refresh_token } = (await answer.json()) as Record<string, string>;
      if (refresh_token === undefined) return answer.status;
      const next = { grant_type: "refresh_token", refresh_token };
      const refresh = new URLSearchParams({ ...Object.fromEntries(body), ...next });
      return (await fetch(endpoint, { method: "POST", body: refresh })).status;
    };
    await expect.poll(grant).toBe(200);
  });

  test("SIGINT stops everything within 5 s, whoever keeps a connection open", async () => {
    const idle = await fetch(`http://127.0.0.1:${own.env["AUTH_PORT"]}/livez`);
    await idle.text();
    started.child.kill("SIGINT");
    expect(await leftOf(own.home)).toEqual([]);
    expect(await started.ended).toBe(0);
  });
});

/** What a first start is just doing, each seen from outside. */
const FIRST_STEPS: [name: string, isThere: (started: Run) => boolean][] = [
  ["PostgreSQL starts", () => existsSync(join(clusterOf(place.home), "postgres.log"))],
  ["the schema is made", (started) => started.output().includes("Daykey starts;")],
  [
    "the auth-server starts",
    () => processesOf("auth-server/src/main.ts", ` PORT=${place.env["AUTH_PORT"]}`).length > 0,
  ],
];
test.each(FIRST_STEPS)(
  "a signal in the first start, while %s, ends it without a word and leaves nothing running",
  async (_name, isThere) => {
    const started = run(process.execPath, [LAUNCHER], place.env);
    while (!isThere(started)) await sleep(5);
    started.child.kill("SIGINT");
    expect(await started.ended).toBe(0);
    expect(started.output()).not.toMatch(/Error|    at |failed|did not start/);
    expect(await leftOf(clusterOf(place.home))).toEqual([]);
    expect(await leftOf(place.home)).toEqual([]);
  },
);

describe("what keeps npm start from running is one sentence, and exit code 1", () => {
  test("a port in use", async () => {
    const holder = createServer().listen(Number(place.env["RESOURCE_PORT"]), "127.0.0.1");
    await once(holder, "listening");
    const started = run(process.execPath, [LAUNCHER, "--once"], place.env);
    expect(await started.ended).toBe(1);
    expect(started.output()).toBe(
      `Port ${place.env["RESOURCE_PORT"]} is in use; set RESOURCE_PORT to another one.\n`,
    );
    holder.close();
  });

  test.each(["/proc/daykey", join(ROOT, "package.json")])(
    "an unwritable folder: %s",
    async (folder) => {
      const env = { ...place.env, DAYKEY_HOME: folder };
      const started = run(process.execPath, [LAUNCHER, "--once"], env);
      expect(await started.ended).toBe(1);
      expect(started.output()).toBe(
        `The folder ${folder} cannot be written; set DAYKEY_HOME to one that can.\n`,
      );
    },
  );

  test("settings: all faults together, by name", async () => {
    const env = { ...place.env, AUTH_PORT: "99999", RESOURCE_PORT: "x" };
    const started = run(process.execPath, [LAUNCHER, "--once"], env);
    expect(await started.ended).toBe(1);
    expect(started.output()).toBe(
      "The settings cannot be used:\n" +
        "  AUTH_PORT must be a whole number from 1 to 65535\n" +
        "  RESOURCE_PORT must be a whole number from 1 to 65535\n",
    );
  });
});
