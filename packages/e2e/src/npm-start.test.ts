import { execFileSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
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

const LAUNCHER = join(ROOT, "packages/local/src/main.ts");
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
