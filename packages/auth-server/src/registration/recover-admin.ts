/**
 * The way back in for whoever has the database and the master key, where no admin can get in any more:
 * another admin, made beside what there is. It works whatever became of the first one (deleted,
 * disabled, without its scope, with two lost secrets), as it neither needs nor changes any client, and
 * a running server knows it at once, as nobody has asked for its id before.
 */
import { open, rm } from "node:fs/promises";
import { OWN_MESSAGE } from "@daykey/common/own-message";
import { randomKid } from "../random-kid.ts";
import type { Transaction } from "../clients/clients-store.ts";
import { credentialFileOf, never } from "./credential-file.ts";
import { firstAdminRegistration } from "./first-admin.ts";
import type { ClientRegistrar } from "./register.ts";
import { registrationFacts, type SetUpFacts } from "./set-up-record.ts";

/** The message is one sentence for the operator. */
export class RecoveryError extends Error {
  readonly [OWN_MESSAGE] = true;
  override readonly name = "RecoveryError";
}

/**
 * Makes an admin `admin-<8 characters>`, writes its credential to a new file (mode 0600) and the fact to
 * the audit log; all or nothing. Resolves with the client's id.
 * @throws {RecoveryError} when the file is there already or cannot be written
 * @throws {ProblemError} when it cannot be recorded
 */
export async function recoverAdmin({
  path,
  issuer,
  registrar,
  record,
}: {
  path: string;
  issuer: string;
  registrar: ClientRegistrar;
  /** Writes what was done into the audit log; nothing is written after it. */
  record: (tx: Transaction, clientId: string, facts: SetUpFacts) => Promise<void>;
}): Promise<string> {
  const clientId = `admin-${randomKid()}`;
  const registration = { ...firstAdminRegistration(issuer), clientId, name: "recovered admin" };
  let isWritten = false;
  try {
    await registrar.register(registration, { kind: "generated" }, async (tx, secret) => {
      const { stored, clientSecret = "" } = secret ?? never();
      const issued = { clientId, clientSecret, salt: stored.salt };
      await writeNew(path, credentialFileOf(issued, { issuer, resource: issuer }));
      isWritten = true;
      await record(tx, clientId, registrationFacts(registration, stored));
    });
  } catch (error) {
    if (isWritten) await rm(path, { force: true });
    throw error;
  }
  return clientId;
}

/** A file that was not there. What cannot be written whole is taken away again. */
async function writeNew(path: string, content: object): Promise<void> {
  const file = await open(path, "wx", 0o600).catch((cause: unknown) => {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === "EEXIST" ? "is there already: move it away" : "cannot be written";
    throw new RecoveryError(`${path} ${why}; nothing was changed`, { cause });
  });
  try {
    await file.writeFile(`${JSON.stringify(content, null, 2)}\n`);
    await file.sync();
  } catch (cause) {
    await rm(path, { force: true });
    throw new RecoveryError(`${path} cannot be written; nothing was changed`, { cause });
  } finally {
    await file.close();
  }
}
