/** Which credential a command uses: what is said first counts, what is nearest after that. */
import { relative, resolve } from "node:path";
import { type Credential, readCredentialFile } from "./credential.ts";
import { CliError, EXIT } from "./exit.ts";
import { readIfThere } from "./private-file.ts";
import { type Profile, profileNamed, type ProfileStore } from "./profile.ts";

/** For whom a command acts: an operator, or an app. */
export type Role = "admin" | "app";

export interface Found {
  credential: Credential;
  /** Where it stands, for people. */
  place: string;
  /** The credential's own file, if it has one. */
  file: string | undefined;
  adminUrl: string;
}

export interface CredentialOptions {
  credential?: string | undefined;
  profile?: string | undefined;
  adminUrl?: string | undefined;
}

/** From this folder, unless it lies outside. */
function shortPath(file: string, cwd: string): string {
  const path = relative(cwd, resolve(cwd, file));
  return path.startsWith("..") ? resolve(cwd, file) : path;
}

/** What `npm start` leaves in its folder. */
const LOCAL_FILES: Record<Role, string> = { admin: "admin-client.json", app: "demo-client.json" };
const DEFAULT_ADMIN_URL = "http://127.0.0.1:4001";

/**
 * In this order: --credential, --profile, DAYKEY_CREDENTIAL_FILE, DAYKEY_PROFILE, the files of
 * `npm start` in this folder, the profile in use.
 * @throws {CliError}
 */
export async function findCredential(
  role: Role,
  {
    options,
    env,
    cwd,
    store,
  }: {
    options: CredentialOptions;
    env: Readonly<Record<string, string | undefined>>;
    cwd: string;
    store: ProfileStore;
  },
): Promise<Found> {
  const found = (
    credential: Credential,
    at: Pick<Found, "place" | "file">,
    url?: string,
  ): Found => ({
    credential,
    ...at,
    adminUrl:
      options.adminUrl ??
      (env["DAYKEY_ADMIN_URL"] || undefined) ??
      url ??
      credential.admin_url ??
      DEFAULT_ADMIN_URL,
  });
  const inFile = async (file: string): Promise<Found> =>
    found(await readCredentialFile(file), { place: shortPath(file, cwd), file });
  const inProfile = async (
    name: string,
    { credential, credential_file: file, admin_url: url }: Profile,
  ) => {
    const place = `profile ${name}`;
    if (credential) return found(credential, { place, file: undefined }, url);
    if (file !== undefined) return found(await readCredentialFile(file), { place, file }, url);
    throw new CliError(EXIT.credential, `The profile ${name} holds no credential`);
  };
  const named = async (name: string): Promise<Found> =>
    inProfile(name, profileNamed(await store.read(), name));

  if (options.credential !== undefined && options.profile !== undefined) {
    throw new CliError(EXIT.usage, "--credential and --profile are both given; give one");
  }
  if (options.credential !== undefined) return inFile(options.credential);
  if (options.profile !== undefined) return named(options.profile);
  if (env["DAYKEY_CREDENTIAL_FILE"]) return inFile(env["DAYKEY_CREDENTIAL_FILE"]);
  if (env["DAYKEY_PROFILE"]) return named(env["DAYKEY_PROFILE"]);
  const localFile = resolve(cwd, env["DAYKEY_HOME"] || ".daykey", LOCAL_FILES[role]);
  if ((await readIfThere(localFile)) !== undefined) return inFile(localFile);
  const profiles = await store.read();
  if (profiles.current !== undefined) return named(profiles.current);
  throw new CliError(EXIT.credential, "No credential is given", {
    hint: "Use --credential FILE, a profile (daykey profile add), or run npm start in this folder first.",
  });
}
