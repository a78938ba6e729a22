/** The program as an operator runs it: its commands, its signals, and what it says of faults. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePorts } from "@daykey/service/test/free-ports";
import { afterAll, expect, test } from "vitest";
import { question, send } from "../test/wire.ts";
import { checkFile } from "./check-file.ts";
import { readConfig } from "./config.ts";

const PROGRAM = fileURLToPath(new URL("../bin/daykey-gateway.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "daykey-gateway-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A program starts slowly on a busy machine. */
const SLOW = { timeout: 240_000 };

const ROUTES =
  "hosts:\n  api.example.test:\n    routes:\n      - { path: /time, access: public }\n";

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function run(args: readonly string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
    env: { PATH: process.env["PATH"], ...env },
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

test("a file is told by what it has, or by its faults with their lines", () => {
  expect(checkFile(ROUTES, "a.yaml")).toBe("a.yaml: 1 hosts, 1 routes\n");
  const upstreams = "upstreams: { a: { url: https://a.example, credential: f } }\n";
  expect(checkFile(upstreams, "b.yaml")).toBe("b.yaml: 1 upstreams\n");
});

test("--check ends with 1 for a file with faults, which it names", SLOW, () => {
  const bad = file(
    "bad.yaml",
    `${ROUTES}      - { path: /a//b, access: public }\n      - { path: /c }\n`,
  );
  expect(run(["--check", bad])).toEqual({
    status: 1,
    stdout: "",
    stderr: `${bad}:5: this path is refused in requests: it can be read in two ways\n${bad}:6: a route has a scope, or access: public or denied\n`,
  });
});

test("a gateway that no proxy could ask does not start", () => {
  const env = { ROUTES_FILE: "x", RESOURCE: "https://a.example", ISSUER: "https://b.example" };
  expect(() => readConfig(env)).toThrow("DOORS and GRPC_PORT are both unset");
  expect(() => readConfig({})).toThrow(/ROUTES_FILE is required[^]*RESOURCE is required/);
});

test(
  "SIGHUP takes the routes file anew and SIGTERM ends it in order, with an auth-server or without",
  SLOW,
  async () => {
    const [port = 0, privatePort = 0] = await freePorts(2);
    const path = file("routes.yaml", ROUTES);
    const child = spawn(process.execPath, [PROGRAM], {
      env: {
        PATH: process.env["PATH"],
        ROUTES_FILE: path,
        DOORS: "traefik",
        RESOURCE: "https://api.example.test",
        ISSUER: "http://127.0.0.1:1",
        PORT: String(port),
        PRIVATE_PORT: String(privatePort),
        STOP_DELAY_SECONDS: "0",
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let log = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (log += text));
    const status = async (target: string): Promise<number> =>
      (await send(port, question("traefik", { target, host: "api.example.test" }))).status;
    await expect.poll(() => log, { timeout: 120_000 }).toContain('"listening"');
    expect([await status("/time"), await status("/new")]).toEqual([200, 403]);
    // It cannot judge any credential yet, and says so.
    expect((await fetch(`http://127.0.0.1:${privatePort}/readyz`)).status).toBe(503);
    file("routes.yaml", "hosts: [");
    child.kill("SIGHUP");
    await expect.poll(() => log, { timeout: 120_000 }).toContain("routes_unusable");
    expect(await status("/time")).toBe(200);
    file("routes.yaml", `${ROUTES}      - { path: /new, access: public }\n`);
    child.kill("SIGHUP");
    await expect.poll(() => log, { timeout: 120_000 }).toContain("routes_reloaded");
    expect(await status("/new")).toBe(200);
    child.kill("SIGTERM");
    const [code] = (await once(child, "exit")) as [number | null];
    expect([code, log]).toEqual([0, expect.stringContaining('"stopped"')]);
  },
);
