/** Tarballs as a release makes them: built and packed in a copy of the workspace, from nothing. */
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PNPM = "pnpm@12.21.0";

const execute = promisify(execFile);

export interface Tarballs<Name extends string> {
  /** The path of each. */
  files: Record<Name, string>;
  /** A project that has them installed, and nothing else, without asking a registry. */
  install(): Promise<string>;
  remove(): Promise<void>;
}

/**
 * @param names the package that is built, then what it depends on, nearest first
 * @param options.libraries of others that it is built and installed with
 * @param options.types more of others that it is only built with
 * @throws when the build or the packing fails; the message has its output
 */
export async function packTarballs<Name extends string>(
  names: readonly [Name, ...Name[]],
  { libraries = [], types = [] }: { libraries?: readonly string[]; types?: readonly string[] } = {},
): Promise<Tarballs<Name>> {
  const [built] = names;
  const folder = await mkdtemp(join(tmpdir(), "daykey-pack-"));
  const library = (name: string): Promise<string> =>
    realpath(join(ROOT, "packages", built, "node_modules", name));
  try {
    for (const name of ["package.json", "pnpm-workspace.yaml", "tsconfig.base.json", "LICENSE"]) {
      await cp(join(ROOT, name), join(folder, name));
    }
    await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
    for (const name of names) {
      const isSource = (path: string): boolean => !/[/\\](?:dist|node_modules)$/.test(path);
      await cp(join(ROOT, "packages", name), join(folder, "packages", name), {
        recursive: true,
        filter: isSource,
      });
    }
    for (const [index, name] of names.entries()) {
      const scope = join(folder, "packages", name, "node_modules/@daykey");
      await mkdir(scope, { recursive: true });
      for (const other of names.slice(index + 1)) {
        await symlink(join("../../..", other), join(scope, other));
      }
    }
    // Its tests' packages are named in its manifest, and so are looked for.
    const scope = join(ROOT, "packages", built, "node_modules/@daykey");
    for (const name of await readdir(scope)) {
      if (names.some((known) => known === name)) continue;
      await symlink(
        await realpath(join(scope, name)),
        join(folder, "packages", built, "node_modules/@daykey", name),
      );
    }
    for (const name of [...libraries, ...types]) {
      await symlink(await library(name), join(folder, "packages", built, "node_modules", name));
    }

    await run(join(folder, "packages", built), "npm", "run", "--silent", "build");
    for (const name of names) {
      const pack = ["--yes", "--prefer-offline", PNPM, "pack", "--pack-destination", folder];
      await run(join(folder, "packages", name), "npx", ...pack);
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  const tarballs = names.map((name) => [name, join(folder, `daykey-${name}-0.1.0.tgz`)] as const);
  return {
    files: Object.fromEntries(tarballs) as Record<Name, string>,
    async install() {
      const project = await mkdtemp(join(folder, "project-"));
      await writeFile(join(project, "package.json"), '{ "private": true, "type": "module" }\n');
      const others: string[] = [];
      for (const name of libraries) {
        // As a registry would give it; npm would build it first.
        const place = join(folder, `library-${name}`);
        await cp(await library(name), join(place, "package"), { recursive: true });
        await run(place, "tar", "czf", "library.tgz", "package");
        others.push(join(place, "library.tgz"));
      }
      const all = [...tarballs.map(([, path]) => path), ...others];
      await run(project, "npm", "install", "--offline", "--no-audit", ...all);
      return project;
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

async function run(cwd: string, command: string, ...args: string[]): Promise<void> {
  try {
    await execute(command, args, { cwd });
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${args.join(" ")} failed:\n${stdout}${stderr}`, { cause: error });
  }
}
