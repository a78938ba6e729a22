/**
 * A client whose secret is handed over in a file, once: the first admin, and what `npm start` makes.
 * The file is written before the client is committed, so no client exists whose secret nobody has; a
 * file without its client, left by a crash or a fresh database, is replaced.
 */
import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { PATHS } from "@daykey/common/protocol";
import { OWN_MESSAGE } from "@daykey/common/own-message";
import type { ClientRegistration } from "../clients/client.ts";
import type { ClientRegistrar, IssuedSecret } from "./register.ts";
import { type RecordSetUp, registrationFacts } from "./set-up-record.ts";

/** The file's content, JSON. */
export interface CredentialFile {
  issuer: string;
  token_endpoint: string;
  /** The client's default resource. */
  resource: string;
  client_id: string;
  client_secret: string;
  salt: string;
  /** For an admin: where the admin API is, if not at its usual place. */
  admin_url?: string;
}

/** The file cannot be written, or holds something else; the message is one sentence for the operator. */
export class CredentialFileError extends Error {
  readonly [OWN_MESSAGE] = true;
  override readonly name = "CredentialFileError";
}

/**
 * Registers the client, writes its file (mode 0600) and records that.
 * @throws {CredentialFileError} when `path` holds anything but a credential file
 * @throws {ProblemError} as `ClientRegistrar.register`
 */
export async function registerIntoFile({
  path,
  registration,
  registrar,
  issuer,
  record,
}: {
  path: string;
  registration: ClientRegistration;
  registrar: ClientRegistrar;
  issuer: string;
  record: RecordSetUp;
}): Promise<void> {
  await readCredentialFile(path); // Another program's file is refused here.
  const resource = registration.resources[0] ?? issuer;
  await registrar.register(registration, { kind: "generated" }, async (tx, secret) => {
    const { clientId, stored, clientSecret = "" } = secret ?? never();
    const issued = { clientId, clientSecret, salt: stored.salt };
    await writeCredentialFile(path, credentialFileOf(issued, { issuer, resource }));
    await record(tx, {
      action: "client.create",
      target: clientId,
      before: null,
      after: registrationFacts(registration, stored),
    });
  });
}

export function credentialFileOf(
  issued: Pick<IssuedSecret, "clientId" | "clientSecret" | "salt">,
  { issuer, resource }: { issuer: string; resource: string },
): CredentialFile {
  return {
    issuer,
    token_endpoint: `${issuer}${PATHS.token}`,
    resource,
    client_id: issued.clientId,
    client_secret: issued.clientSecret,
    salt: issued.salt,
  };
}

/** What `path` holds, or undefined without such a file. @throws {CredentialFileError} for another content */
export async function readCredentialFile(path: string): Promise<CredentialFile | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new CredentialFileError(`${path} cannot be read`, { cause: error });
  }
  try {
    const content = JSON.parse(text) as Partial<CredentialFile>;
    if (typeof content.client_id === "string" && typeof content.client_secret === "string") {
      return content as CredentialFile;
    }
  } catch {
    // Not JSON: another program's file, as below.
  }
  throw new CredentialFileError(`${path} exists and is not a credential file; it is left alone`);
}

/**
 * Writes a credential file whole or not at all, as a power cut would leave it too: a new 0600 file
 * beside it, then a rename.
 * @throws {CredentialFileError} when it cannot be written
 */
export async function writeCredentialFile(path: string, content: CredentialFile): Promise<void> {
  await draftCredentialFile(path, content);
  await keepDraft(path);
}

/** A draft that is there and whole, as a crash left it. */
export async function readDraft(path: string): Promise<CredentialFile | undefined> {
  return readCredentialFile(draftOf(path)).catch(() => undefined);
}

/**
 * Writes what the file at `path` shall hold beside it, mode 0600, in place of any draft before.
 * @throws {CredentialFileError} when it cannot be written
 */
export async function draftCredentialFile(path: string, content: CredentialFile): Promise<void> {
  const draft = draftOf(path);
  try {
    await rm(draft, { force: true });
    const file = await open(draft, "wx", 0o600);
    try {
      await file.writeFile(`${JSON.stringify(content, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new CredentialFileError(`${path} cannot be written`, { cause: error });
  }
}

/**
 * Puts the draft into the place of the file, durably.
 * @throws {CredentialFileError} when that cannot be done
 */
export async function keepDraft(path: string): Promise<void> {
  try {
    await rename(draftOf(path), path);
    await syncDirectory(dirname(path));
  } catch (error) {
    throw new CredentialFileError(`${path} cannot be written`, { cause: error });
  }
}

export function never(): never {
  throw new TypeError("a generated secret is always made");
}

function draftOf(path: string): string {
  return `${path}.new`;
}

/** Makes a rename in it durable. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
