/** The first admin: on a database without one, made with a secret of its own and told in one file (A2). */
import type { Log } from "@daykey/service/observe/log";
import { ProblemError } from "@daykey/service/http/problem-error";
import { ADMIN_SCOPE, type ClientRegistration } from "../clients/client.ts";
import type { ClientsStore } from "../clients/clients-store.ts";
import { registerIntoFile } from "./credential-file.ts";
import type { ClientRegistrar } from "./register.ts";
import type { RecordSetUp } from "./set-up-record.ts";

export function firstAdminRegistration(issuer: string): ClientRegistration {
  return {
    clientId: "admin",
    name: "first admin",
    authMethods: ["client_secret_hash_once", "client_secret_hash_day"],
    grantTypes: ["client_credentials"],
    scopes: [ADMIN_SCOPE],
    resources: [issuer],
  };
}

/**
 * Makes none when any enabled client may administrate, one made by another instance meanwhile too.
 * Where `admin` was disabled or deleted its id is not used again. That nobody can administrate, because
 * all their secrets have ended for example, is logged, and no reason not to serve.
 * @throws as `registerIntoFile`
 */
export async function ensureFirstAdmin({
  path,
  clients,
  registrar,
  issuer,
  record,
  log,
}: {
  path: string;
  clients: ClientsStore;
  registrar: ClientRegistrar;
  issuer: string;
  record: RecordSetUp;
  log: Log;
}): Promise<void> {
  const warn = (why: string): void =>
    log.warn({ event: "no_admin" }, `${why}; recover-admin makes another`);
  if (await clients.anyWithScope(ADMIN_SCOPE)) {
    if (!(await clients.anyAdmin())) warn("no client that may administrate can");
    return;
  }
  const registration = firstAdminRegistration(issuer);
  try {
    await registerIntoFile({ path, registrar, issuer, registration, record });
  } catch (error) {
    if (!(error instanceof ProblemError && error.status === 409)) throw error;
    if (await clients.anyWithScope(ADMIN_SCOPE)) return;
    return warn("no enabled client has admin rights, and the id admin is in use");
  }
  log.info({ event: "first_admin", client: "admin" }, "the first admin's credential was written");
}
