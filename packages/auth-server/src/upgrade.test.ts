/** From version to version: what was stored lives on, and who runs meanwhile goes on. */
import type { Knex } from "knex";
import { formatDay } from "@daykey/common/clock";
import { migrate } from "@daykey/service/database/migrate";
import { createTestDatabase, type TestDatabase } from "@daykey/service/test/database";
import { afterEach, expect, test } from "vitest";
import { API, startAuthServer, type TestAuthServer, type TestClient } from "../test/auth-server.ts";
import { createSecretMaker } from "./registration/secrets.ts";
import { MIGRATIONS } from "./migrate.ts";

const SCHEMA = "daykey";

let database: TestDatabase;
const running: TestAuthServer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()));
  await database.drop();
});

async function start(): Promise<TestAuthServer> {
  const server = await startAuthServer({ database });
  running.push(server);
  return server;
}

/** A client as the first schema had it, written as the version of that schema did. */
async function insertFirstClient(): Promise<TestClient> {
  const { clientSecret, stored } = await createSecretMaker().make(
    { kind: "generated" },
    Date.now() / 1000,
  );
  await database.query(
    `insert into daykey.clients (client_id, name, auth_methods, grant_types, scopes, resources)
     values ('first', 'from the first version', '{client_secret_hash_day}',
       '{client_credentials,refresh_token}', '{time:read}', $1)`,
    [[API]],
  );
  await database.query(
    `insert into daykey.secrets (client_id, kid, kind, salt, first_day, verifiers, expires_at)
     values ('first', $1, $2, $3, $4::date, $5::bytea, now() + interval '90 days')`,
    [stored.kid, stored.kind, stored.salt, formatDay(stored.firstDay), stored.verifiers],
  );
  return { clientId: "first", clientSecret, root: clientSecret, ...stored };
}

test("a client of the first version gets tokens after every migration since, one after the other", async () => {
  database = await createTestDatabase({ empty: true });
  const connectionString = database.ownerUrl;
  await migrate({ connectionString, migrations: MIGRATIONS.slice(0, 1), schema: SCHEMA });
  const client = await insertFirstClient();
  for (let count = 2; count <= MIGRATIONS.length; count++) {
    const migrations = MIGRATIONS.slice(0, count);
    const applied = await migrate({ connectionString, migrations, schema: SCHEMA });
    expect(applied).toEqual([migrations.at(-1)?.name]);
  }

  const server = await start();
  const opened = await server.clientCredentials(client);
  expect(opened).toMatchObject({ status: 200, body: { scope: "time:read" } });
  const refreshed = await server.refresh(client, opened.body["refresh_token"]);
  expect(refreshed.status).toBe(200);
});

/** What a next version may do to every table of this one while it runs: docs/how-to/upgrade.md. */
const next = {
  name: "9999-next",
  async up(knex: Knex): Promise<void> {
    const tables = await knex("pg_tables")
      .select<{ tablename: string }[]>("tablename")
      .where("schemaname", SCHEMA)
      .whereNot("tablename", "migrations");
    for (const { tablename } of tables) {
      await knex.raw("alter table ??.?? add column of_the_next text not null default 'new'", [
        SCHEMA,
        tablename,
      ]);
      await knex.raw("create index on ??.?? (of_the_next)", [SCHEMA, tablename]);
    }
    // Long enough that requests meet its locks.
    await knex.raw("select pg_sleep(0.3)");
  },
};

test("no request fails while the next migration is applied, nor after it, nor at an instance started then", async () => {
  database = await createTestDatabase();
  const server = await start();
  const client = await server.createClient();
  const failures: unknown[] = [];
  let answered = 0;
  let isOver = false;

  async function app(): Promise<void> {
    let { body } = await server.clientCredentials(client);
    while (!isOver) {
      const answer = await server.refresh(client, body["refresh_token"]);
      if (answer.status === 200) ({ body } = answer);
      else failures.push(answer.body);
      const issued = await server.token({
        grant_type: "client_credentials",
        client_id: client.clientId,
        client_secret_hash: await server.oneTime(client),
      });
      if (issued.status !== 200) failures.push(issued.body);
      answered += 2;
    }
  }
  const apps = Array.from({ length: 6 }, app);
  await expect.poll(() => answered).toBeGreaterThan(30);
  const applied = await migrate({
    connectionString: database.ownerUrl,
    migrations: [...MIGRATIONS, next],
    schema: SCHEMA,
  });
  const before = answered;
  await expect.poll(() => answered).toBeGreaterThan(before + 30);
  isOver = true;
  await Promise.all(apps);
  expect({ applied, failures }).toEqual({ applied: [next.name], failures: [] });

  const later = await start();
  expect((await later.clientCredentials(client)).status).toBe(200);
});
