/** Both auth-servers behind a PgBouncer in transaction mode, with fewer connections than they hold. */
import { migrateAuthServer } from "@daykey/auth-server/migrate";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "@daykey/local/embedded-postgres";
import { prepareDatabase } from "@daykey/local/prepare-database";
import { freePorts } from "@daykey/service/test/free-ports";
import { machineTool } from "@daykey/service/test/machine-tool";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AuthServerPair, startAuthServerPair } from "../test/auth-server-pair.ts";
import { startPgBouncer } from "../test/pgbouncer.ts";
import { createPlace, type Place } from "../test/stack.ts";

const PARALLEL = 40;
const POOL_SIZE = 3;

const program = machineTool("pgbouncer");

describe.skipIf(program === undefined)("behind PgBouncer in transaction mode", () => {
  let place: Place;
  let cluster: EmbeddedPostgres;
  let bouncer: { host: string; stop(): Promise<void> };
  let servers: AuthServerPair;

  beforeAll(async () => {
    place = await createPlace();
    const [port = 0] = await freePorts(1);
    const settings = { listen_addresses: "127.0.0.1", port: String(port) };
    cluster = await startEmbeddedPostgres({ directory: `${place.home}/pg`, settings });
    await prepareDatabase({ cluster, name: "daykey" });
    const urlOf = (host: string, role = "daykey_app") => `postgresql://${role}@${host}/daykey`;
    const direct = `127.0.0.1:${port}`;
    await migrateAuthServer({ connectionString: urlOf(direct, "daykey_owner") });
    const role = "daykey_app";
    bouncer = await startPgBouncer({ program: program ?? "", port, role, poolSize: POOL_SIZE });
    servers = await startAuthServerPair({
      place,
      databaseUrl: () => urlOf(direct),
      env: {
        DATABASE_URL: urlOf(bouncer.host),
        DATABASE_DIRECT_URL: urlOf(direct),
        PREPARED_STATEMENTS: "off",
      },
    });
  });
  afterAll(async () => {
    await servers?.stop();
    await bouncer?.stop();
    await cluster?.stop();
    await place?.remove();
  });

  const both = <T>(request: (server: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: PARALLEL }, (_, i) => request(i % 2)));

  test("grants are opened and refreshed, many at once", async () => {
    const chains = await both(async (server) => {
      const opened = await servers.authenticated(server, { grant_type: "client_credentials" });
      let refresh_token = opened.body["refresh_token"] ?? "";
      const statuses = [opened.status];
      for (let round = 0; round < 5; round++) {
        const form = { grant_type: "refresh_token", refresh_token };
        const { status, body } = await servers.authenticated(1 - server, form);
        statuses.push(status);
        refresh_token = body["refresh_token"] ?? "";
      }
      return statuses;
    });
    expect(chains).toEqual(Array(PARALLEL).fill(Array(6).fill(200)));
  });

  test("C8: a one-time hash is used up once", async () => {
    const form = await servers.oneTimeForm();
    const answers = await both((server) => servers.token(server, form));
    const accepted = answers.filter(({ status }) => status === 200);
    expect(accepted).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(PARALLEL - 1);
  });

  test("a revocation at one server is known to the other, which hears it past the pooler", async () => {
    const { body } = await servers.authenticated(0, { grant_type: "client_credentials" });
    const token = body["access_token"] ?? "";
    const form = { token };
    const revoked = await servers.post(0, "/oauth2/revoke", form);
    expect(revoked.status).toBe(200);
    const isActive = async () => (await servers.post(1, "/oauth2/introspect", form)).body["active"];
    await expect.poll(isActive).toBe(false);
  });
});
