/** The tarball, judged as a stranger gets it: built, packed, checked, installed, type-checked, run. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { packTarballs, type Tarballs } from "@daykey/client/test/pack";
import { publint } from "publint";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const FACES = [
  ".",
  "./express",
  "./fastify",
  "./fetch",
  "./koa",
  "./node",
  "./postgres-store",
  "./redis-store",
];

let tarballs: Tarballs<"guard" | "client" | "common">;
let project: string;
beforeAll(async () => {
  tarballs = await packTarballs(["guard", "client", "common"], {
    libraries: ["jose", "lru-cache"],
    types: ["fastify"],
  });
  project = await tarballs.install();
}, 180_000);
afterAll(() => tarballs.remove());

const installed = (): string => join(project, "node_modules/@daykey/guard");

test("it depends on the client and common it was built with, on two libraries, and on no server or framework", async () => {
  const manifest = JSON.parse(await readFile(join(installed(), "package.json"), "utf8"));
  const { version, dependencies, peerDependenciesMeta } = manifest;
  expect(Object.keys(dependencies).toSorted()).toEqual([
    "@daykey/client",
    "@daykey/common",
    "jose",
    "lru-cache",
  ]);
  expect(dependencies).toMatchObject({ "@daykey/client": version, "@daykey/common": version });
  expect(Object.values(peerDependenciesMeta)).toEqual([{ optional: true }]);
});

test("no manifest names what only this workspace knows: an installer would refuse it", async () => {
  for (const name of ["guard", "client", "common"]) {
    const manifest = join(project, "node_modules/@daykey", name, "package.json");
    expect(await readFile(manifest, "utf8")).not.toMatch(/"(?:workspace|catalog|link|file):/);
  }
});

test("it holds its license and no source or test", () => {
  const files = execFileSync("tar", ["tzf", tarballs.files.guard], { encoding: "utf8" });
  const others = files
    .split("\n")
    .filter((file) => !/^package\/dist\/[a-z0-9/-]+\.(?:js|d\.ts)$/.test(file));
  expect(others.filter(Boolean).toSorted()).toEqual([
    "package/LICENSE",
    "package/README.md",
    "package/package.json",
  ]);
  expect(files).not.toContain(".test.");
});

test("what runs imports common, the client, two libraries and what every runtime has of Node", async () => {
  const dist = join(installed(), "dist");
  const names = await readdir(dist, { recursive: true });
  const code = await Promise.all(
    names.filter((name) => name.endsWith(".js")).map((name) => readFile(join(dist, name), "utf8")),
  );
  const modules = code.flatMap((text) =>
    [...text.matchAll(/(?<!\.)\b(?:from|import)\s*\(?\s*["']([^"']+)["']/g)].map(
      ([, module = ""]) => module,
    ),
  );
  const others = modules.filter(
    (module) => !/^(?:\.\.?\/|@daykey\/common\/|@daykey\/client\/internal\/)/.test(module),
  );
  expect([...new Set(others)].toSorted()).toEqual([
    "jose",
    "lru-cache",
    "node:crypto",
    "node:fs/promises",
    // Deno 2 and Bun 1 have its BlockList too.
    "node:net",
    "node:timers/promises",
  ]);
});

test("publint finds nothing", async () => {
  const tarball = new Uint8Array(await readFile(tarballs.files.guard)).buffer;
  const { messages } = await publint({ pack: { tarball }, strict: true });
  expect(messages).toEqual([]);
});

/** Before `exports` there was nothing, and `require` gets ES modules: both as meant. */
const AS_MEANT = ["node10", "node16-cjs"];

test("attw finds no wrong types at any entry", async () => {
  const data = new Uint8Array(await readFile(tarballs.files.guard));
  const result = await checkPackage(createPackageFromTarballData(data));
  if (!result.types) throw new Error("there are no types");
  const problems = result.problems.filter(
    (problem) => !("resolutionKind" in problem && AS_MEANT.includes(problem.resolutionKind)),
  );
  expect(problems).toEqual([]);
  expect(Object.keys(result.entrypoints).toSorted()).toEqual(FACES);
});

const PROGRAM = `
import { createServer } from "node:http2";
import { createGuard, type CheckResult, type Guard } from "@daykey/guard";
import { accessOf, protect as protectExpress } from "@daykey/guard/express";
import { protect as protectFetch } from "@daykey/guard/fetch";
import { protect as protectKoa, type GuardState } from "@daykey/guard/koa";
import { protect } from "@daykey/guard/node";
import { createPostgresStore } from "@daykey/guard/postgres-store";
const guard: Guard = createGuard({ issuer: "https://a.example", resource: "https://b.example" });
const result: CheckResult = await guard.check({ method: "GET", url: "/", headers: {} }, { scope: "a" });
if (result.allowed) result.access.clientId satisfies string;
else result.body.title satisfies string;
// @ts-expect-error a refusal has no access
if (!result.allowed) result.access;
// @ts-expect-error a route needs a scope
await guard.check({ method: "GET", url: "/", headers: {} }, {});
protect(guard, "a", (_req, res, access) => void res.end(access.clientId));
createServer(protect(guard, "a", (_req, res, access) => void res.end(access.clientId)));
protectFetch(guard, "a", (_request, access) => Response.json(access.scope));
void [protectExpress(guard, "a"), protectKoa(guard, "a"), accessOf, createPostgresStore];
type State = GuardState;
({}) satisfies State;
`;

test("its declarations stand, libraries checked", async () => {
  await writeFile(join(project, "program.ts"), PROGRAM);
  const roots = ["--typeRoots", join(ROOT, "node_modules/@types"), "--types", "node"];
  const strict = ["--strict", "--exactOptionalPropertyTypes", "--noEmit"];
  const modules = ["--module", "nodenext", "--target", "es2024", "--lib", "es2024"];
  const tsc = join(ROOT, "node_modules/.bin/tsc");
  const args = [...strict, ...modules, ...roots, "--skipLibCheck", "false", "program.ts"];
  const { stdout } = spawnSync(tsc, args, { cwd: project, encoding: "utf8" });
  expect(stdout).toBe("");
});

/** Where a distribution puts its Node, often an older one. */
const NODE = existsSync("/usr/bin/node") ? "/usr/bin/node" : process.execPath;
const VERSION = execFileSync(NODE, ["--version"], { encoding: "utf8" }).trim();

test(`Node ${VERSION}: every entry loads, and a request without a credential is 401`, () => {
  const loads = FACES.map((face) => `await import("${join("@daykey/guard", face)}");`).join("\n");
  const program = `${loads}
    const { createGuard } = await import("@daykey/guard");
    const address = "http://127.0.0.1:9";
    const guard = createGuard({ issuer: address, resource: "https://b.example" });
    const needs = { scope: "orders:read" };
    const { status, headers } = await guard.check({ method: "GET", url: "/", headers: {} }, needs);
    await guard.close();
    process.stdout.write(status + " " + headers["WWW-Authenticate"]);`;
  const options = { cwd: project, encoding: "utf8" } as const;
  const { stdout, status } = spawnSync(NODE, ["--input-type=module", "-e", program], options);
  expect(status).toBe(0);
  expect(stdout).toBe(
    '401 Bearer realm="https://b.example", scope="orders:read", resource_metadata="https://b.example/.well-known/oauth-protected-resource"',
  );
});
