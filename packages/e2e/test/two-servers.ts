/** Two auth-servers over a PostgreSQL of their own, which a test may kill and start again. */
import { migrateAuthServer } from "@daykey/auth-server/migrate";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "@daykey/local/embedded-postgres";
import { openHome } from "@daykey/local/home";
import { prepareDatabase } from "@daykey/local/prepare-database";
import pg from "pg";
import { type AuthServerPair, startAuthServerPair } from "./auth-server-pair.ts";
import { createPlace } from "./stack.ts";

const DATABASE = "daykey";

export interface TwoServers extends AuthServerPair {
  postgres(): EmbeddedPostgres;
  /** Runs SQL as superuser. */
  query<R extends pg.QueryResultRow>(text: string): Promise<R[]>;
  /** Ends PostgreSQL with SIGKILL, as a crash of its machine would. */
  killPostgres(): void;
  startPostgres(): Promise<void>;
}

/** @param env settings of both */
export async function startTwoServers(env: Record<string, string> = {}): Promise<TwoServers> {
  const place = await createPlace();
  const { postgres: directory } = await openHome(place.home);
  let cluster = await startEmbeddedPostgres({ directory });
  await prepareDatabase({ cluster, name: DATABASE });
  await migrateAuthServer({ connectionString: cluster.url(DATABASE, "daykey_owner") });
  const databaseUrl = (): string => cluster.url(DATABASE, "daykey_app");
  const pair = await startAuthServerPair({ place, databaseUrl, env });

  return {
    ...pair,
    postgres: () => cluster,
    async query(text) {
      const client = new pg.Client({ connectionString: cluster.url(DATABASE, "postgres") });
      await client.connect();
      try {
        return (await client.query(text)).rows;
      } finally {
        await client.end();
      }
    },
    killPostgres: () => void process.kill(cluster.pid, "SIGKILL"),
    async startPostgres() {
      cluster = await startEmbeddedPostgres({ directory });
    },
    async stop() {
      await pair.stop();
      await cluster.stop();
      await place.remove();
    },
  };
}
