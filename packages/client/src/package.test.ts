/** The two tarballs, judged as a stranger gets them: built, packed, checked, installed, type-checked. */
import { execFileSync, spawnSync } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packTarballs, type Tarballs } from "../test/pack.ts";
import * as sdk from "./index.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

let tarballs: Tarballs<"client" | "common">;
let project: string;
beforeAll(async () => {
  tarballs = await packTarballs(["client", "common"]);
  project = await tarballs.install();
});
afterAll(() => tarballs.remove());

const installed = (name: string): string => join(project, "node_modules/@daykey", name);

async function manifest(name: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(installed(name), "package.json"), "utf8"));
}

test("the SDK depends on the very common it was built with, and on nothing else", async () => {
  const { version } = await manifest("common");
  expect(await manifest("client")).toMatchObject({
    version,
    dependencies: { "@daykey/common": version },
  });
  expect(await manifest("common")).not.toHaveProperty("dependencies");
});

test.each(["client", "common"] as const)(
  "%s holds its license and no source or test",
  async (name) => {
    const files = execFileSync("tar", ["tzf", tarballs.files[name]], { encoding: "utf8" }).split(
      "\n",
    );
    const others = files.filter((file) => !/^package\/dist\/[a-z0-9-]+\.(?:js|d\.ts)$/.test(file));
    const readme = name === "client" ? ["package/README.md"] : [];
    expect(others.filter(Boolean).toSorted()).toEqual(
      ["package/LICENSE", ...readme, "package/package.json"].toSorted(),
    );
    expect(files.filter((file) => file.includes(".test."))).toEqual([]);
  },
);

test.each(["client", "common"] as const)("%s imports nothing of a platform", async (name) => {
  const dist = join(installed(name), "dist");
  const code = await Promise.all(
    (await readdir(dist)).map((file) => readFile(join(dist, file), "utf8")),
  );
  const modules = code.flatMap((text) =>
    [...text.matchAll(/(?:from|import)\s*\(?\s*["']([^"']+)["']/g)].map(
      ([, module = ""]) => module,
    ),
  );
  expect(modules.length).toBeGreaterThan(3);
  expect(modules.filter((module) => !/^(?:\.\/|@daykey\/common\/)/.test(module))).toEqual([]);
});

test.each(["client", "common"] as const)("publint finds nothing in %s", async (name) => {
  const tarball = new Uint8Array(await readFile(tarballs.files[name])).buffer;
  const { messages } = await publint({ pack: { tarball }, strict: true });
  expect(messages).toEqual([]);
});

/** Before `exports` there was nothing, and `require` gets ES modules: both as meant. */
const AS_MEANT = ["node10", "node16-cjs"];

test.each(["client", "common"] as const)("attw finds no wrong types in %s", async (name) => {
  const pkg = createPackageFromTarballData(new Uint8Array(await readFile(tarballs.files[name])));
  const common = ["./secret-hash", "./clock", "./json-numbers"];
  const result = await checkPackage(pkg, { entrypoints: name === "client" ? ["."] : common });
  if (!result.types) throw new Error("there are no types");
  const problems = result.problems.filter(
    (problem) => !("resolutionKind" in problem && AS_MEANT.includes(problem.resolutionKind)),
  );
  expect(problems).toEqual([]);
  const entries = Object.values(result.entrypoints);
  expect(entries.length).toBe(name === "client" ? 1 : common.length);
  expect(entries.map(({ resolutions }) => resolutions.bundler.resolution?.isTypeScript)).toEqual(
    entries.map(() => true),
  );
});

const PROGRAM = `
import { authorizedFetch, createTokenSource, DaykeyError, fromCredentialFile, oneTimeForm, privateKeyJwt } from "@daykey/client";
import type { AccessToken, DaykeyErrorCode, TokenSource } from "@daykey/client";
const source: TokenSource = await fromCredentialFile("{}", { method: "client_secret_hash_day" });
const token: AccessToken = await source.token({ signal: AbortSignal.timeout(1000) });
const api: typeof fetch = authorizedFetch(source);
const key = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
createTokenSource({ issuer: "https://a", credential: privateKeyJwt({ clientId: "a", key: key.privateKey }) });
createTokenSource({ issuer: "https://a", credential: oneTimeForm({ clientId: "a", material: async () => ({ secret: "", salt: "" }) }), platform: { fetch } });
const code: DaykeyErrorCode = new DaykeyError("network", "x").code;
// @ts-expect-error a token's value is a text
const wrong: number = token.value;
void [api, code, wrong];
`;

test.each([
  ["a server's", ["--lib", "es2024", "--types", "node"]],
  ["a browser's or an edge runtime's", ["--lib", "es2024,webworker", "--types", ""]],
])("its declarations stand with %s types, libraries checked", async (_, options) => {
  await writeFile(join(project, "program.ts"), PROGRAM);
  const roots = ["--typeRoots", join(ROOT, "node_modules/@types")];
  const strict = [
    "--strict",
    "--exactOptionalPropertyTypes",
    "--noEmit",
    "--skipLibCheck",
    "false",
  ];
  const modules = ["--module", "nodenext", "--target", "es2024"];
  const tsc = join(ROOT, "node_modules/.bin/tsc");
  const args = [...strict, ...modules, ...options, ...roots, "program.ts"];
  const { stdout } = spawnSync(tsc, args, { cwd: project, encoding: "utf8" });
  expect(stdout).toBe("");
});

test("what is exported is this", async () => {
  const list = "process.stdout.write(Object.keys(await import('@daykey/client')).join(' '))";
  const options = { cwd: project, encoding: "utf8" } as const;
  const built = execFileSync(process.execPath, ["--input-type=module", "-e", list], options);
  expect(built.split(" ")).toEqual(Object.keys(sdk).toSorted());
  expect(Object.keys(sdk).toSorted()).toEqual([
    "DaykeyError",
    "authorizedFetch",
    "clientSecretBasic",
    "clientSecretPost",
    "createTokenSource",
    "dayForm",
    "discovery",
    "fetchWithTrace",
    "fromCredentialFile",
    "oneTimeForm",
    "privateKeyJwt",
    "readSignatureKey",
    "signRequest",
    "signUrl",
    "signedFetch",
    "tlsClientAuth",
    "verifiedFetch",
    "verifyPrimeAnswer",
  ]);
});
