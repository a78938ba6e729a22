/** The tarballs as a release makes them: built and packed in a copy of the workspace, from nothing. */
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PNPM = "pnpm@12.21.0";
const PACKAGES = ["client", "common"] as const;

const execute = promisify(execFile);

export interface Tarballs {
  client: string;
  common: string;
  /** A project that has both installed, and nothing else, without asking a registry. */
  install(): Promise<string>;
  remove(): Promise<void>;
}

/** @throws when the build or the packing fails; the message has its output */
export async function packTarballs(): Promise<Tarballs> {
  const folder = await mkdtemp(join(tmpdir(), "daykey-pack-"));
  try {
    for (const name of ["package.json", "pnpm-workspace.yaml", "tsconfig.base.json", "LICENSE"]) {
      await cp(join(ROOT, name), join(folder, name));
    }
    await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
    for (const name of PACKAGES) {
      const isSource = (path: string): boolean => !/[/\\](?:dist|node_modules)$/.test(path);
      await cp(join(ROOT, "packages", name), join(folder, "packages", name), {
        recursive: true,
        filter: isSource,
      });
    }
    const scope = join(folder, "packages/client/node_modules/@daykey");
    await mkdir(scope, { recursive: true });
    await symlink("../../../common", join(scope, "common"));

    await run(join(folder, "packages/client"), "npm", "run", "--silent", "build");
    for (const name of PACKAGES) {
      const pack = ["--yes", "--prefer-offline", PNPM, "pack", "--pack-destination", folder];
      await run(join(folder, "packages", name), "npx", ...pack);
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  const tarball = (name: string): string => join(folder, `daykey-${name}-0.1.0.tgz`);
  const [client, common] = [tarball("client"), tarball("common")];
  return {
    client,
    common,
    async install() {
      const project = await mkdtemp(join(folder, "project-"));
      await writeFile(join(project, "package.json"), '{ "private": true, "type": "module" }\n');
      await run(project, "npm", "install", "--offline", "--no-audit", client, common);
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
