/**
 * Profiles: credentials under a name, in one 0600 file. A profile holds a credential, or the path of its
 * file, so that a rotated secret is taken up. A file that others can read is refused, as ssh does.
 */
import { mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Credential } from "./credential.ts";
import { CliError, EXIT } from "./exit.ts";
import { isOpenToOthers, readIfThere, writePrivate } from "./private-file.ts";

export interface Profile {
  /** Absolute. */
  credential_file?: string;
  credential?: Credential;
  /** The auth-server's private listener. */
  admin_url?: string;
}

export interface Profiles {
  /** What is used when nothing else is said. */
  current?: string | undefined;
  profiles: Record<string, Profile>;
}

export interface ProfileStore {
  readonly path: string;
  /** @throws {CliError} */
  read(): Promise<Profiles>;
  /** @throws {CliError} */
  write(profiles: Profiles): Promise<void>;
}

export const PROFILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export function createProfileStore(
  env: Readonly<Record<string, string | undefined>>,
): ProfileStore {
  const home = env["XDG_CONFIG_HOME"] || join(env["HOME"] || ".", ".config");
  const path = resolve(home, "daykey", "profiles.json");
  return {
    path,
    async read() {
      const text = await readIfThere(path);
      if (text === undefined) return { profiles: {} };
      if (await isOpenToOthers(path)) {
        throw new CliError(EXIT.credential, `${path} can be read by others`, {
          hint: `chmod 600 ${path}, and rotate what it holds if someone may have read it.`,
        });
      }
      return parse(text, path);
    },
    async write(profiles) {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await writePrivate(path, `${JSON.stringify(profiles, null, 2)}\n`);
    },
  };
}

/** @throws {CliError} without a profile of this name */
export function profileNamed({ profiles }: Profiles, name: string): Profile {
  const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (profile) return profile;
  throw new CliError(EXIT.credential, `There is no profile ${name}`, {
    hint: "daykey profile list shows them all.",
  });
}

function parse(text: string, path: string): Profiles {
  try {
    const value = JSON.parse(text) as Partial<Profiles> | null;
    if (typeof value?.profiles === "object" && value.profiles !== null) return value as Profiles;
  } catch {
    // Not JSON: as below.
  }
  throw new CliError(EXIT.credential, `${path} is not a file of profiles`);
}
