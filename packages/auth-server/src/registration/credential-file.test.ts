/** A secret handed over in a file, once (A2), whatever happens between the file and the commit. */
import { lstat, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createDatabase, type Database } from "@daykey/service/database/database";
import { createTestLog } from "@daykey/service/test/log";
import {
  API,
  ISSUER,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "../../test/auth-server.ts";
import { createResourcesStore } from "../resources/resources-store.ts";
import { type ClientsStore, createClientsStore } from "../clients/clients-store.ts";
import { CredentialFileError, readCredentialFile, registerIntoFile } from "./credential-file.ts";
import { ensureFirstAdmin } from "./first-admin.ts";
import { type ClientRegistrar, createClientRegistrar } from "./register.ts";
import { createSecretMaker } from "./secrets.ts";
import type { RecordSetUp } from "./set-up-record.ts";

let server: TestAuthServer;
let database: Database;
let clients: ClientsStore;
let registrar: ClientRegistrar;
beforeAll(async () => {
  server = await startAuthServer();
  const { appUrl } = server.database;
  database = createDatabase({ connectionString: appUrl, log: createTestLog().log });
  clients = createClientsStore(database, { issuer: ISSUER, longestGrantSeconds: 0 });
  registrar = createClientRegistrar({
    clients,
    resources: createResourcesStore(database, ISSUER),
    secrets: createSecretMaker(),
    clock: server.now,
    limits: server.config,
  });
});
afterAll(async () => {
  await database.close();
  await server.stop();
});

let directory: string;
let path: string;
let clientId: string;
let count = 0;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "daykey-credential-"));
  path = join(directory, "credential.json");
  clientId = `filed-${++count}`;
});
afterEach(() => rm(directory, { recursive: true }));

/** As it was told to the audit log. */
let recorded: Parameters<RecordSetUp>[1][];
const record: RecordSetUp = async (_tx, event) => void recorded.push(event);
beforeEach(() => void (recorded = []));

function register(recorder = record): Promise<void> {
  const registration = {
    clientId,
    name: "filed",
    authMethods: ["client_secret_post"],
    grantTypes: ["client_credentials"],
    scopes: ["time:read"],
    resources: [API],
  } as const;
  return registerIntoFile({ path, registration, registrar, issuer: ISSUER, record: recorder });
}

async function exists(): Promise<boolean> {
  const rows = await server.database.query("select from daykey.clients where client_id = $1", [
    clientId,
  ]);
  return rows.length > 0;
}

/** Status of a token request with what the file holds. */
async function logIn(): Promise<number> {
  // The server may remember that there was no such client.
  await server.look();
  const file = await readCredentialFile(path);
  const { client_id = "", client_secret = "" } = file ?? {};
  const form = { grant_type: "client_credentials", client_id, client_secret };
  return (await server.token(form)).status;
}

test("the file is readable by its owner alone, whole, and works; no draft is left", async () => {
  await register();
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(JSON.parse(await readFile(path, "utf8"))).toEqual({
    issuer: ISSUER,
    token_endpoint: `${ISSUER}/oauth2/token`,
    resource: API,
    client_id: clientId,
    client_secret: expect.stringMatching(/^dks_[a-z0-9]{8}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/),
    salt: expect.stringMatching(/^[0-9a-f]{32}$/),
  });
  expect(await readdir(directory)).toEqual(["credential.json"]);
  expect(await logIn()).toBe(200);
  expect(recorded).toMatchObject([{ action: "client.create", target: clientId, before: null }]);
  expect(JSON.stringify(recorded)).not.toContain("dks_");
});

test("what cannot be recorded is not done", async () => {
  const failing: RecordSetUp = () => Promise.reject(new Error("canary"));
  await expect(register(failing)).rejects.toThrow("canary");
  expect(await exists()).toBe(false);
});

test("what a crash left is replaced: a file without its client, a draft, a wider mode", async () => {
  await writeFile(path, JSON.stringify({ client_id: clientId, client_secret: "stale" }), {
    mode: 0o644,
  });
  await writeFile(`${path}.new`, "half a dra", { mode: 0o644 });
  await register();
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(directory)).toEqual(["credential.json"]);
  expect(await logIn()).toBe(200);
});

test.each([
  ["text", "my shopping list"],
  ["nothing", ""],
  ["other JSON", '{"client_id":"x"}'],
  ["null", "null"],
])("another program's file (%s) is left alone, and no client is made", async (_name, content) => {
  await writeFile(path, content);
  await expect(register()).rejects.toThrow(
    `${path} exists and is not a credential file; it is left alone`,
  );
  expect(await readFile(path, "utf8")).toBe(content);
  expect(await exists()).toBe(false);
});

test("no client is made when the file cannot be written", async () => {
  path = join(directory, "missing", "credential.json");
  await expect(register()).rejects.toThrow(CredentialFileError);
  expect(await exists()).toBe(false);
});

test("a draft that is a link is not written through", async () => {
  const victim = join(directory, "victim");
  await writeFile(victim, "untouched");
  await symlink(victim, `${path}.new`);
  await register();
  expect(await readFile(victim, "utf8")).toBe("untouched");
  expect((await lstat(path)).isFile()).toBe(true);
});

test("when the commit fails the file stands without its client, and the next start mends it", async () => {
  await server.database.query(`
    create function daykey.canary() returns trigger language plpgsql as
      $$ begin raise 'canary'; end $$;
    create constraint trigger canary after insert on daykey.clients
      deferrable initially deferred for each row execute function daykey.canary()`);
  await expect(register()).rejects.toThrow("canary");
  expect(await exists()).toBe(false);
  expect(await logIn()).toBe(401);
  await server.database.query("drop function daykey.canary cascade");
  await register();
  expect(await logIn()).toBe(200);
});

test("an id in use is 409, and the file that was there stays", async () => {
  await register();
  const before = await readFile(path, "utf8");
  await expect(register()).rejects.toMatchObject({ status: 409, code: "client-exists" });
  expect(await readFile(path, "utf8")).toBe(before);
});

describe("the first admin (A2)", () => {
  afterEach(() =>
    // The id is never used again, so each of these tests takes the row itself away.
    server.database.query(
      `delete from daykey.secrets where client_id = 'admin';
       delete from daykey.clients where client_id = 'admin'`,
    ),
  );

  const ensure = (): Promise<string> => {
    const { log, text } = createTestLog();
    return ensureFirstAdmin({ path, clients, registrar, issuer: ISSUER, record, log }).then(text);
  };

  test("is made at the start of a server, and logs in for the issuer by the hash forms", async () => {
    const config = { adminCredentialFile: path };
    const started = await startAuthServer({ config, database: server.database });
    try {
      const { client_secret, salt } = (await readCredentialFile(path)) ?? {};
      const admin = { clientId: "admin", root: client_secret, salt } as TestClient;
      const { status, body } = await started.clientCredentials(admin);
      expect({ status, body }).toEqual({
        status: 200,
        body: {
          access_token: expect.any(String),
          token_type: "Bearer",
          expires_in: 600,
          scope: "daykey:admin",
        },
      });
      expect(JSON.stringify(started.lines)).not.toContain(client_secret);
      const told = "select actor, target from daykey.audit_log where target = 'admin'";
      expect(await server.database.query(told)).toEqual([{ actor: "(set-up)", target: "admin" }]);
    } finally {
      await started.stop();
    }
  });

  test("that no admin can get in any more is logged at each start, and none is made", async () => {
    await ensure();
    const before = await readFile(path, "utf8");
    await server.database.query(
      "update daykey.secrets set expires_at = now() where client_id = 'admin'",
    );
    expect(await ensure()).toContain("no_admin");
    expect(await ensure()).toContain("recover-admin makes another");
    expect(await readFile(path, "utf8")).toBe(before);
  });

  test("is made once: a second start changes neither file nor client", async () => {
    const log = await ensure();
    const before = await readFile(path, "utf8");
    expect(log).toContain("first_admin");
    expect(await ensure()).toBe("");
    expect(await readFile(path, "utf8")).toBe(before);
    await rm(path);
    await ensure();
    expect(await readdir(directory)).toEqual([]);
  });

  test("of many instances that start at once one makes it; its file is the one that works", async () => {
    await Promise.all(Array.from({ length: 5 }, ensure));
    const rows = await server.database.query(
      "select count(*)::int from daykey.secrets where client_id = 'admin'",
    );
    expect(rows).toEqual([{ count: 1 }]);
    const { client_secret, salt } = (await readCredentialFile(path)) ?? {};
    const admin = { clientId: "admin", root: client_secret, salt } as TestClient;
    await server.look();
    expect((await server.clientCredentials(admin)).status).toBe(200);
  });

  test("that was disabled is no reason not to start, and its id is not taken over", async () => {
    await ensure();
    const before = await readFile(path, "utf8");
    await server.database.query(
      "update daykey.clients set enabled = false where client_id = 'admin'",
    );
    expect(await ensure()).toContain("no_admin");
    expect(await readFile(path, "utf8")).toBe(before);
  });

  test("is not made over another program's file: the start is refused", async () => {
    await writeFile(path, "my shopping list");
    await expect(ensure()).rejects.toThrow(CredentialFileError);
    expect(await clients.anyWithScope("daykey:admin")).toBe(false);
  });
});
