/**
 * Profiles: credentials under a name, in one 0600 file. A profile holds a credential, or the path of its
 * file, so that a rotated secret is taken up. A file that others can read is refused, as ssh does.
 */
import { mkdir, open, rm, stat } from "node:fs/promises";
import { homedir, userInfo } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { type Credential, parseCredential } from "./credential.ts";
import { CliError, EXIT } from "./exit.ts";
import { cannotWrite, codeOf, isOpenToOthers, readIfThere, writePrivate } from "./private-file.ts";

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
  /**
   * Reads, changes and writes, one process after the other.
   * @throws {CliError}
   */
  update(change: (known: Profiles) => Profiles): Promise<Profiles>;
}

/** Like mkdir's `recursive`, which never ends where a parent exists and refuses children, as /proc does. */
async function makeFolder(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) return;
  const parent = dirname(path);
  if (parent !== path) await makeFolder(parent);
  await mkdir(path, { mode: 0o700 }).catch((cause: unknown) => {
    // Another run of this program can have been quicker.
    if (codeOf(cause) !== "EEXIST") throw cause;
  });
}

const LOCK_TRIES = 1000;
const LOCK_RETRY_MILLISECONDS = 20;

export const PROFILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export function createProfileStore(
  env: Readonly<Record<string, string | undefined>>,
  /** The user id of this process; undefined where the system has none. */
  uid: number | undefined,
): ProfileStore {
  const path = join(configFolder(env), "daykey", "profiles.json");

  async function read(): Promise<Profiles> {
    const text = await readIfThere(path);
    if (text === undefined) return { profiles: {} };
    if (await isOpenToOthers(path)) {
      throw new CliError(EXIT.credential, `${path} can be read by others`, {
        hint: `chmod 600 ${path}, and rotate what it holds if someone may have read it.`,
      });
    }
    return parse(text, path);
  }

  return {
    path,
    read,
    async update(change) {
      await makeFolder(dirname(path)).catch((cause: unknown) => {
        throw cannotWrite(path, cause);
      });
      const unlock = await lock(`${path}.lock`);
      try {
        await requireOwn(path, uid);
        const profiles = change(await read());
        await writePrivate(path, `${JSON.stringify(profiles, null, 2)}\n`);
        return profiles;
      } finally {
        await unlock();
      }
    },
  };
}

/** As the XDG Base Directory Specification says, which passes over a relative path. */
function configFolder(env: Readonly<Record<string, string | undefined>>): string {
  const named = env["XDG_CONFIG_HOME"] ?? "";
  return isAbsolute(named) ? named : join(env["HOME"] || homeOfUser(), ".config");
}

/** The home folder in the system's list of users, for when HOME is not set. */
function homeOfUser(): string {
  try {
    return homedir() || userInfo().homedir;
  } catch {
    return "/";
  }
}

/** A replacement is ours: whoever owned the file could not read it any more. */
async function requireOwn(path: string, uid: number | undefined): Promise<void> {
  const owner = await stat(path).catch(() => undefined);
  if (!owner || uid === undefined || owner.uid === uid) return;
  throw new CliError(EXIT.credential, `${path} belongs to another user (uid ${owner.uid})`, {
    hint: "Run this as that user, or set XDG_CONFIG_HOME to a folder of your own.",
  });
}

/** Waits while another process changes the file. Resolves with what ends the lock. */
async function lock(path: string): Promise<() => Promise<void>> {
  for (let tries = LOCK_TRIES; ; tries--) {
    try {
      const file = await open(path, "wx", 0o600);
      await file.close();
      return async () => rm(path, { force: true });
    } catch (cause) {
      if (codeOf(cause) !== "EEXIST") throw cannotWrite(path, cause);
      if (tries === 0) {
        throw new CliError(
          EXIT.credential,
          `${path} is there: another daykey changes the profiles`,
          {
            hint: `If none runs, one was killed meanwhile: rm ${path}`,
          },
        );
      }
    }
    await setTimeout(LOCK_RETRY_MILLISECONDS);
  }
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
    if (isObject(value) && isObject(value.profiles)) {
      const { current, profiles } = value;
      for (const [name, profile] of Object.entries(profiles)) requireProfile(profile, name, path);
      return { ...(typeof current === "string" && { current }), profiles };
    }
  } catch (error) {
    if (error instanceof CliError) throw error;
    // Not JSON: as below.
  }
  throw new CliError(EXIT.credential, `${path} is not a file of profiles`, {
    hint: `Mend it, or move it away and add the profiles again: mv ${path} ${path}.old`,
  });
}

function requireProfile(profile: unknown, name: string, path: string): void {
  const place = `The profile ${name} in ${path}`;
  if (!isObject(profile)) throw new CliError(EXIT.credential, `${place} is not an object`);
  for (const member of ["credential_file", "admin_url"]) {
    const value = (profile as Record<string, unknown>)[member];
    if (value === undefined || typeof value === "string") continue;
    throw new CliError(EXIT.credential, `${place} has a ${member} that is not a text`);
  }
  const { credential } = profile as Profile;
  if (credential !== undefined) parseCredential(JSON.stringify(credential), place);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
