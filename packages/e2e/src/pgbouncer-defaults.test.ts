/** Behind a PgBouncer whose role, database or server has other defaults than the code would like. */
import { createTestAdmin, type TestAdmin } from "@daykey/auth-server/test/admin";
import { API, startAuthServer, type TestAuthServer } from "@daykey/auth-server/test/auth-server";
import { migrateAuthServer } from "@daykey/auth-server/migrate";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "@daykey/local/embedded-postgres";
import { prepareDatabase } from "@daykey/local/prepare-database";
import { freePorts } from "@daykey/service/test/free-ports";
import { machineTool } from "@daykey/service/test/machine-tool";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startPgBouncer } from "../test/pgbouncer.ts";
import { createPlace, type Place } from "../test/stack.ts";

const program = machineTool("pgbouncer");
/** For a start and some dozen requests on a busy machine. */
const PATIENCE = 60_000;

/** Each is an operator's right, and none may be seen in an answer. */
const HOSTILE: Record<string, string> = {
  default_transaction_isolation: "serializable",
  default_transaction_deferrable: "on",
  synchronous_commit: "off",
  search_path: "information_schema",
  timezone: "Pacific/Chatham",
  datestyle: "SQL, DMY",
  intervalstyle: "iso_8601",
  bytea_output: "escape",
  extra_float_digits: "-10",
  standard_conforming_strings: "off",
  array_nulls: "off",
  transform_null_equals: "on",
  statement_timeout: "9s",
  lock_timeout: "3s",
  client_min_messages: "debug5",
  enable_indexscan: "off",
  plan_cache_mode: "force_generic_plan",
  jit: "on",
  quote_all_identifiers: "on",
  xmloption: "document",
  lc_messages: "C",
};

/** What `day` says of a server that is well. */
const DAY = {
  opened: 200,
  refreshed: 200,
  again: 200,
  once: [200, 401, 401],
  before: true,
  scope: "time:read primes:check",
  revoked: [200],
  after: false,
  read: [200, true, "string"],
  at: true,
  patched: [200, 'it\'s \\ "ours"'],
  secret: 201,
  page: [200, 1],
  filtered: 200,
  audit: [200, 3],
  verified: [200, true],
  ended: 204,
  restored: 200,
};

describe.skipIf(program === undefined)("behind PgBouncer, with other defaults", () => {
  let place: Place;
  let cluster: EmbeddedPostgres;
  let port = 0;
  let owner: pg.Pool;
  let databases = 0;
  const urlOf = (host: string, name: string, role = "daykey_app"): string =>
    `postgresql://${role}@${host}/${name}`;

  beforeAll(async () => {
    place = await createPlace();
    [port = 0] = await freePorts(1);
    const settings = { listen_addresses: "127.0.0.1", port: String(port) };
    cluster = await startEmbeddedPostgres({ directory: `${place.home}/pg`, settings });
    owner = new pg.Pool({ connectionString: cluster.url("postgres", "postgres"), max: 1 });
  }, PATIENCE);
  const left: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const leave of left.splice(0).toReversed()) await leave();
  });
  afterAll(async () => {
    await owner?.end();
    await cluster?.stop();
    await place?.remove();
  });

  async function startWith(
    defaults: Record<string, string>,
    { mode, more }: { mode: "transaction" | "session"; more: readonly string[] },
  ): Promise<TestAuthServer> {
    const name = `daykey_${(databases += 1)}`;
    const direct = `127.0.0.1:${port}`;
    await prepareDatabase({ cluster, name });
    await migrateAuthServer({ connectionString: urlOf(direct, name, "daykey_owner") });
    for (const [setting, value] of Object.entries(defaults)) {
      await owner.query(`alter role daykey_app in database ${name} set ${setting} to '${value}'`);
    }
    const role = "daykey_app";
    const bouncer = await startPgBouncer({
      program: program ?? "",
      port,
      role,
      poolSize: mode === "session" ? 20 : 3,
      mode,
      more,
    });
    left.push(() => bouncer.stop());
    const app = urlOf(bouncer.host, name);
    const server = await startAuthServer({
      config: { databaseDirectUrl: urlOf(direct, name), preparedStatements: false },
      database: {
        appUrl: app,
        ownerUrl: urlOf(direct, name, "daykey_owner"),
        resourceUrl: urlOf(direct, name, "daykey_resource"),
        adminUrl: cluster.url(name, "postgres"),
        query: async () => [],
        drop: async () => {},
      },
    });
    left.push(() => server.stop());
    return server;
  }

  /** What an installation does in a day, by status. */
  async function day(server: TestAuthServer): Promise<Record<string, unknown>> {
    const admin: TestAdmin = await createTestAdmin(server);
    const client = await server.createClient();
    await server.look();
    const opened = await server.clientCredentials(client, { resource: API });
    const refresh = String(opened.body["refresh_token"]);
    const refreshed = await server.refresh(client, refresh);
    const again = await server.refresh(client, refresh);
    const hash = await server.oneTime(client);
    const once = () =>
      server.token({
        grant_type: "client_credentials",
        client_id: client.clientId,
        client_secret_hash: hash,
      });
    const statuses = (await Promise.all([once(), once(), once()])).map(({ status }) => status);
    const token = String(refreshed.body["access_token"]);
    const before = await server.postAs(client, "/oauth2/introspect", { token });
    const revoked = await Promise.all(
      Array.from({ length: 8 }, () => server.postAs(client, "/oauth2/revoke", { token })),
    );
    const after = await server.postAs(client, "/oauth2/introspect", { token });
    const made = await admin.create();
    const id = String(made.body.client.client_id);
    const read = await admin.get(`/clients/${id}`);
    const patched = await admin.call(
      "PATCH",
      `/clients/${id}`,
      { name: 'it\'s \\ "ours"' },
      { "if-match": "*" },
    );
    const secret = await admin.post(`/clients/${id}/secrets`, { kind: "generated" });
    const page = await admin.get("/clients?limit=1");
    const filtered = await admin.get("/clients?enabled=true");
    const audit = await admin.get("/audit?limit=5");
    const verified = await admin.get("/audit/verify");
    const ended = await admin.call("DELETE", `/clients/${id}`, undefined, { "if-match": "*" });
    const restored = await admin.post("/restored", {});
    return {
      opened: opened.status,
      refreshed: refreshed.status,
      again: again.status,
      once: statuses.toSorted((a, b) => a - b),
      before: before.body["active"],
      scope: before.body["scope"],
      revoked: [...new Set(revoked.map(({ status }) => status))],
      after: after.body["active"],
      read: [read.status, read.body.client_id === id, typeof read.body.created_at],
      at: Math.abs(Date.parse(String(read.body.created_at)) - Date.now()) < PATIENCE,
      patched: [patched.status, patched.body?.name],
      secret: secret.status,
      page: [page.status, page.body?.items?.length],
      filtered: filtered.status,
      audit: [audit.status, audit.body?.items?.length],
      verified: [verified.status, verified.body.valid],
      ended: ended.status,
      restored: restored.status,
    };
  }

  const POOLING = {
    session: { mode: "session", more: [] },
    /** The worst: nothing that was set once is there for the next transaction. */
    transaction: {
      mode: "transaction",
      more: ["server_reset_query = RESET ALL", "server_reset_query_always = 1"],
    },
  } as const;

  test.each(["session", "transaction"] as const)(
    "%s pooling: no default of the role is seen in an answer",
    async (mode) => {
      const server = await startWith(HOSTILE, POOLING[mode]);
      expect(await day(server)).toEqual(DAY);
      expect(server.lines.filter(({ status }) => Number(status) >= 500)).toEqual([]);
      expect(server.lines).toContainEqual(
        expect.objectContaining({
          event: "foreign_session_defaults",
          settings: expect.arrayContaining(["TimeZone", "DateStyle", "extra_float_digits"]),
        }),
      );
    },
    PATIENCE,
  );

  test("with defaults as ours a statement alone takes no transaction", async () => {
    const server = await startWith({ timezone: "Etc/UTC" }, POOLING.transaction);
    expect(await day(server)).toEqual(DAY);
    expect(server.lines.map(({ event }) => event)).not.toContain("foreign_session_defaults");
  });

  test("a database that takes no changes by the role's default is told by that name", async () => {
    const readOnly = { default_transaction_read_only: "on" };
    await expect(startWith(readOnly, POOLING.transaction)).rejects.toThrow(
      "default_transaction_read_only",
    );
  });
});
