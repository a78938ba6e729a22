import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { cp, readFile, rm, symlink, writeFile } from "node:fs/promises";
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
  startStack,
  untilPrinted,
} from "../test/stack.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const LAUNCHER = join(ROOT, "packages/local/src/main.ts");
const CLI = join(ROOT, "packages/cli/bin/daykey.mjs");
const NUMBER = "172983479832623897492387592384682937659382477";

/** What the first run left, for those that come later. */
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

function readlinkOr(path: string, other: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return other;
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

  test("a second run keeps clients and keys, on other ports too", async () => {
    const before = await kept.credential("demo-client.json");
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
});

describe("npm start", () => {
  test("prints shell lines that work when pasted", async () => {
    const { place: own, started, stop } = await startStack();
    const lines = started.output().split("in this folder:\n")[1]?.split("Ctrl-C")[0] ?? "";
    const pasted = execFileSync("bash", ["-c", lines], { cwd: ROOT, encoding: "utf8" });
    const [token, time, prime] = pasted.trim().split("\n");
    expect(JSON.parse(token ?? "")).toMatchObject({ token_type: "Bearer", expires_in: 600 });
    expect(JSON.parse(time ?? "")).toMatchObject({ zone: "UTC" });
    expect(prime).toContain(`{"number":${NUMBER},"prime":false`);
    await stop();
    expect(existsSync(own.home)).toBe(false);
  });

  test.each(["SIGINT", "SIGTERM"] as const)("%s stops everything within 5 s", async (signal) => {
    const started = npmStart(kept);
    await untilPrinted(started, "Ctrl-C stops everything.");
    // A client that keeps its connection open must not hold the stop up.
    const idle = await fetch(`http://127.0.0.1:${kept.env["AUTH_PORT"]}/livez`);
    await idle.text();
    started.child.kill(signal);
    expect(await leftOf(kept.home)).toEqual([]);
  });

  test("after kill -9 the servers end by themselves and the next start has lost nothing", async () => {
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
    const again = npmStart(kept, "--once");
    expect(await again.ended, again.output()).toBe(0);
    expect(await kept.credential("demo-client.json")).toEqual(before);
  });
});

describe("npm start keeps what it has", () => {
  test("PostgreSQL that is killed is told of and started again, and the servers go on", async () => {
    const started = npmStart(place);
    await untilPrinted(started, "Ctrl-C stops everything.");
    const link = readlinkOr(join(place.home, "postgres", "moved-to"), join(place.home, "postgres"));
    const [pid] = (await readFile(join(link, "data", "postmaster.pid"), "utf8")).split("\n");
    process.kill(Number(pid), "SIGKILL");
    await untilPrinted(started, "PostgreSQL runs again.");
    const client = await place.credential("demo-client.json");
    const form = { grant_type: "client_credentials", client_id: client.client_id };
    const body = new URLSearchParams({ ...form, client_secret: client.client_secret });
    const grant = async () => {
      const answer = await fetch(client.token_endpoint, { method: "POST", body });
      const { refresh_token } = (await answer.json()) as Record<string, string>;
      if (refresh_token === undefined) return answer.status;
      const next = { grant_type: "refresh_token", refresh_token };
      const refresh = new URLSearchParams({ ...Object.fromEntries(body), ...next });
      return (await fetch(client.token_endpoint, { method: "POST", body: refresh })).status;
    };
    await expect.poll(grant).toBe(200);
    started.child.kill("SIGTERM");
    expect(await started.ended).toBe(0);
    expect(await leftOf(place.home)).toEqual([]);
  });

  test("a second start with the same folder ends with a sentence, and the first goes on", async () => {
    const started = npmStart(place);
    await untilPrinted(started, "Ctrl-C stops everything.");
    const before = await place.credential("demo-client.json");
    const other = await createPlace();
    const second = run(process.execPath, [LAUNCHER], { ...other.env, DAYKEY_HOME: place.home });
    expect(await second.ended).toBe(1);
    expect(second.output()).toBe(
      `Another npm start runs with the folder ${place.home}. Stop it first, or set DAYKEY_HOME to another folder.\n`,
    );
    await other.remove();
    expect(await place.credential("demo-client.json")).toEqual(before);
    const ready = await fetch(`http://127.0.0.1:${place.env["AUTH_PRIVATE_PORT"]}/readyz`);
    expect(ready.status).toBe(200);
    started.child.kill("SIGTERM");
    expect(await started.ended).toBe(0);
  });

  test("a lost master key is not made anew beside the database that needs it", async () => {
    const file = join(kept.home, "master-key");
    const key = await readFile(file, "utf8");
    await rm(file);
    const started = run(process.execPath, [LAUNCHER, "--once"], kept.env);
    expect(await started.ended).toBe(1);
    expect(started.output()).toBe(
      `The master key ${file} is lost, and the database in ${join(kept.home, "postgres")} cannot be used without it. Put the file back, or remove ${kept.home} to begin anew.\n`,
    );
    await writeFile(file, key, { mode: 0o600 });
    const again = run(process.execPath, [LAUNCHER, "--once"], kept.env);
    expect(await again.ended, again.output()).toBe(0);
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

  test("--recover-admin makes another admin, and on a first start the first", async () => {
    const fresh = npmStart(place, "--recover-admin", "--once");
    expect(await fresh.ended, fresh.output()).toBe(0);
    expect(fresh.output()).toContain("  this is a first start: it makes the first admin\n");
    const before = await place.credential("admin-client.json");
    expect(before.client_id).toBe("admin");
    expect(existsSync(join(place.home, "admin-client.json.old"))).toBe(false);

    const second = npmStart(place, "--recover-admin", "--once");
    expect(await second.ended, second.output()).toBe(0);
    const { client_id } = await place.credential("admin-client.json");
    expect(client_id).toMatch(/^admin-[a-z0-9]{8}$/);
    expect(second.output()).toContain(`  made the admin ${client_id}, in `);
    expect(await place.credential("admin-client.json.old")).toEqual(before);
    expect(statSync(join(place.home, "admin-client.json")).mode & 0o777).toBe(0o600);

    const middle = await place.credential("admin-client.json");
    const third = npmStart(place, "--recover-admin", "--once");
    expect(await third.ended, third.output()).toBe(0);
    expect(third.output()).toContain("admin-client.json.old-2\n");
    expect(await place.credential("admin-client.json.old")).toEqual(before);
    expect(await place.credential("admin-client.json.old-2")).toEqual(middle);
    const lines = readFileSync(join(place.home, "recover-admin.log"), "utf8").trim().split("\n");
    const newest = (await place.credential("admin-client.json")).client_id;
    expect(lines.map((line) => (JSON.parse(line) as { target: string }).target)).toEqual([
      client_id,
      newest,
    ]);
  });

  test.each([0, 150, 400, 800, 1500, 3000])(
    "a signal %s ms into the first start ends it without a word and leaves nothing running",
    async (milliseconds) => {
      const started = run(process.execPath, [LAUNCHER], place.env);
      await sleep(milliseconds);
      started.child.kill("SIGINT");
      const code = await started.ended;
      expect(started.output()).not.toMatch(/Error|    at |failed|did not start/);
      // Before its first line runs, a process ends by the signal itself.
      expect([0, null]).toContain(code);
      expect(await leftOf(place.home)).toEqual([]);
    },
  );

  test("a folder with a space and a quote in its name", async () => {
    const home = join(place.home, "it's a place");
    const started = npmStart({ ...place, env: { ...place.env, DAYKEY_HOME: home } });
    await untilPrinted(started, "Ctrl-C stops everything.");
    const lines = started.output().split("in this folder:\n")[1]?.split("Ctrl-C")[0] ?? "";
    const pasted = execFileSync("bash", ["-c", lines], { cwd: ROOT, encoding: "utf8" });
    expect(JSON.parse(pasted.split("\n")[0] ?? "")).toMatchObject({ token_type: "Bearer" });
    started.child.kill("SIGTERM");
    expect(await started.ended).toBe(0);
  });

  test("a clone in a folder with a space starts its servers", async () => {
    const folder = join(place.home, "a clone");
    await cp(join(ROOT, "packages"), join(folder, "packages"), {
      recursive: true,
      verbatimSymlinks: true,
    });
    await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
    const launcher = join(folder, "packages/local/src/main.ts");
    const started = run(process.execPath, [launcher, "--once"], place.env);
    expect(await started.ended, started.output()).toBe(0);
  });
});

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
