/** What the services `init` and `migrate` of docker-compose.yml do, without the containers. */
import { X509Certificate } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateMasterKey, masterKeyFault } from "@daykey/auth-server/keys/master-key";
import { createTestDatabase, type TestDatabase } from "@daykey/service/test/database";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type ContainersConfig, readConfig } from "./config.ts";
import { migrateDatabase } from "./database.ts";
import { makeSecrets } from "./secrets.ts";

const VOLUMES = [
  "auth-server",
  "grafana",
  "migrate",
  "operator",
  "postgres",
  "resource-server",
  "tls",
];
const NOW = 1_795_000_000;
const ISSUER = "https://localhost:4443";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ empty: true });
});
afterAll(() => database.drop());

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "daykey-containers-"));
  for (const volume of VOLUMES) await mkdir(join(folder, volume));
  return () => rm(folder, { recursive: true });
});

function config(issuer = ISSUER): ContainersConfig {
  return readConfig({ ISSUER: issuer, RESOURCE: "https://localhost:5443", SECRETS: folder });
}

const init = (issuer?: string, now = NOW): Promise<string[]> =>
  makeSecrets({ config: config(issuer), clock: () => now });

async function contents(): Promise<Record<string, string>> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  );
  const pairs = files.map(async ({ parentPath, name }) => {
    const path = join(parentPath, name);
    return [path.slice(folder.length + 1), await readFile(path, "utf8")] as const;
  });
  return Object.fromEntries(await Promise.all(pairs));
}

test("init makes every secret once; another run changes none", async () => {
  const made = await init();
  const first = await contents();
  expect(Object.keys(first).toSorted()).toEqual([
    "auth-server/database-url",
    "auth-server/master-key",
    "grafana/password",
    "migrate/owner-url",
    "migrate/superuser-url",
    "postgres/password",
    "resource-server/database-url",
    "tls/certificate.pem",
    "tls/server.pem",
  ]);
  expect(made.map((path) => path.slice(folder.length + 1)).toSorted()).toEqual(
    Object.keys(first).toSorted(),
  );
  expect(masterKeyFault(first["auth-server/master-key"]?.trim() ?? "")).toBeUndefined();
  const password = first["postgres/password"]?.trim() ?? "";
  expect(first["migrate/superuser-url"]).toBe(
    `postgresql://postgres:${password}@postgres:5432/postgres\n`,
  );
  expect(await init()).toEqual([]);
  expect(await contents()).toEqual(first);
});

test.each([
  [{ AUTH_PORT: "14443" }, "DAYKEY_ISSUER=https://localhost:14443"],
  [{ RESOURCE_PORT: "15443" }, "DAYKEY_RESOURCE=https://localhost:15443"],
  [{ ISSUER: "https://127.0.0.1" }, "DAYKEY_ISSUER=https://127.0.0.1:4443"],
])(
  "an address of this machine that the proxy does not publish is refused: %o",
  (changed, advice) => {
    const env = {
      ISSUER,
      RESOURCE: "https://localhost:5443",
      AUTH_PORT: "4443",
      RESOURCE_PORT: "5443",
    };
    expect(() => readConfig({ ...env, ...changed })).toThrow(advice);
  },
);

test.each([
  [{ ISSUER: "https://localhost:5443" }],
  [{ ISSUER: "https://auth.example.com", AUTH_PORT: "8443" }],
  [{ ISSUER: "https://localhost", AUTH_PORT: "443" }],
])("an address that may lead to the proxy is taken: %o", (changed) => {
  const env = {
    ISSUER,
    RESOURCE: "https://localhost:5443",
    AUTH_PORT: "4443",
    RESOURCE_PORT: "5443",
  };
  expect(() => readConfig({ ...env, ...changed })).not.toThrow();
});

test("A2: its secrets are for their owner alone, but Grafana's and the certificate", async () => {
  await init();
  const open: string[] = [];
  for (const path of Object.keys(await contents())) {
    if (((await stat(join(folder, path))).mode & 0o077) !== 0) open.push(path);
  }
  expect(open.toSorted()).toEqual(["grafana/password", "tls/certificate.pem"]);
});

test("a start that was killed half way is finished by the next", async () => {
  await init();
  const first = await contents();
  for (const path of Object.keys(first)) {
    if (path === "postgres/password") continue;
    await rm(join(folder, path));
    await writeFile(join(folder, `${path}.new`), "half");
    const made = await init();
    expect(made).toContain(join(folder, path));
    await rm(join(folder, `${path}.new`), { force: true });
  }
  const { "postgres/password": password, "migrate/superuser-url": url } = await contents();
  expect(url).toContain(password?.trim());
});

test.each([
  ["for another address", "https://auth.example.com", NOW],
  ["for a numeric address", "https://192.0.2.7:4443", NOW],
  ["when its end is near", ISSUER, NOW + 770 * 86_400],
])("a new certificate is made %s, and no other secret", async (_, issuer, now) => {
  await init();
  const { files } = config();
  expect(await init(issuer, now)).toEqual([files.tls, files.certificate]);
  const certificate = new X509Certificate(await readFile(files.certificate));
  expect(certificate.subjectAltName).toContain(new URL(issuer).hostname);
  expect(certificate.checkHost("localhost")).toBe("localhost");
  expect(await readFile(files.tls, "utf8")).toContain(certificate.toString());
  expect(await init(issuer, now)).toEqual([]);
});

/** As `init` writes them, but of this test's database. */
async function writeDatabaseUrls(): Promise<void> {
  const { files } = config();
  const withPassword = (url: string): string => {
    const changed = new URL(url);
    changed.password = "p:'4";
    return changed.href;
  };
  await writeFile(files.masterKey, `${generateMasterKey()}\n`);
  await writeFile(files.superuserUrl, `${database.adminUrl}\n`);
  await writeFile(files.ownerUrl, `${withPassword(database.ownerUrl)}\n`);
  await writeFile(files.databaseUrl, `${withPassword(database.appUrl)}\n`);
  await writeFile(files.resourceDatabaseUrl, `${withPassword(database.resourceUrl)}\n`);
}

test("migrate brings the schema, the first admin and the resource-server's client; again nothing", async () => {
  await writeDatabaseUrls();
  const migrate = async (issuer?: string): Promise<string[]> =>
    (await migrateDatabase({ config: config(issuer), clock: () => NOW })).applied;

  expect(await migrate()).toEqual(
    expect.arrayContaining(["0001-initial", "0001-quota-and-nonces"]),
  );
  const rows = await database.query("select client_id, scopes from daykey.clients order by 1");
  expect(rows).toEqual([
    { client_id: "admin", scopes: ["daykey:admin"] },
    { client_id: "resource-server", scopes: ["revocations:read", "introspect"] },
  ]);
  const first = await contents();
  expect(JSON.parse(first["operator/admin.json"] ?? "")).toMatchObject({
    issuer: ISSUER,
    client_id: "admin",
  });
  expect(JSON.parse(first["resource-server/credential.json"] ?? "")).toMatchObject({
    client_id: "resource-server",
  });

  expect(await migrate()).toEqual([]);
  expect(await contents()).toEqual(first);
  // Before any server has run, under the key that it will have.
  const recorded = await database.query(
    "select actor, action, target from daykey.audit_log order by seq",
  );
  expect(recorded).toEqual(
    [
      ["client.create", "admin"],
      ["client.create", "resource-server"],
      ["resource.create", "https://localhost:5443"],
    ].map(([action, target]) => ({ actor: "(set-up)", action, target })),
  );

  await migrate("https://auth.example.com");
  const moved = await contents();
  for (const name of ["operator/admin.json", "resource-server/credential.json"]) {
    const [before, after] = [first[name], moved[name]].map((text) => JSON.parse(text ?? ""));
    expect(after).toEqual({
      ...before,
      issuer: "https://auth.example.com",
      token_endpoint: "https://auth.example.com/oauth2/token",
      resource: "https://auth.example.com",
    });
  }
});

test.each([
  ["has a year", "366 days", {}, false],
  ["ends in 61 days", "61 days", {}, false],
  ["ends in 31 days", "31 days", {}, true],
  ["has just ended", "-1 seconds", {}, true],
  ["ended 434 days ago", "-434 days", {}, true],
  ["was revoked", "31 days", { isRevoked: true }, true],
] as const)(
  "a secret of the set-up that %s: renewed with overlap?",
  async (_, left, how, isRenewed) => {
    // With the tables already: the schema is not what this is about.
    const fresh = await createTestDatabase();
    const before = database;
    database = fresh;
    try {
      await writeDatabaseUrls();
      const clock = (): number => Date.now() / 1000;
      const migrate = () => migrateDatabase({ config: config(), clock });
      expect((await migrate()).renewed).toEqual([]);
      const first = await contents();
      const revoked = "isRevoked" in how ? "now()" : "null";
      await fresh.query(
        `update daykey.secrets set revoked_at = ${revoked}, expires_at = now() + interval '${left}',
         created_at = now() + interval '${left}' - interval '366 days'`,
      );
      const { files } = config();
      const both = [files.admin, files.resourceServer];
      expect((await migrate()).renewed).toEqual(isRenewed ? both : []);
      const second = await contents();
      for (const name of ["operator/admin.json", "resource-server/credential.json"]) {
        const [old, now] = [first[name], second[name]].map((text) => JSON.parse(text ?? ""));
        expect(now.client_id).toBe(old.client_id);
        expect(now.client_secret === old.client_secret).toBe(!isRenewed);
      }
      // Again nothing, at the same time too: what was made has a year.
      const again = await Promise.all([migrate(), migrate()]);
      expect(again.map(({ renewed, faults }) => [renewed, faults])).toEqual([
        [[], []],
        [[], []],
      ]);
      const rows = await fresh.query("select kid from daykey.secrets");
      expect(rows).toHaveLength(isRenewed ? 4 : 2);
    } finally {
      database = before;
      await fresh.drop();
    }
  },
);
