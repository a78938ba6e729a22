/** What 100,000 tokens leave behind: in the process's memory, and in the database. */
import type { EmbeddedPostgres } from "@daykey/local/embedded-postgres";
import pg from "pg";
import type { AuthServer } from "./daykey.ts";
import { saturate } from "./load.ts";
import { dayFormRequest, repeating } from "./scripts.ts";

export interface Growth {
  tokens: number;
  /** At the start, and after each quarter. */
  rssBytes: number[];
  databaseBytesBefore: number;
  databaseBytesAfter: number;
}

const QUARTERS = 4;

export async function measureGrowth(
  auth: AuthServer,
  cluster: EmbeddedPostgres,
  tokens: number,
): Promise<Growth> {
  const { server, database } = auth;
  const request = await dayFormRequest(auth);
  const databaseBytesBefore = await databaseBytes(cluster, database);
  const rssBytes = [(await server.usage()).rssBytes];
  for (let quarter = 1; quarter <= QUARTERS; quarter++) {
    await saturateFor(tokens / QUARTERS);
    rssBytes.push((await server.usage()).rssBytes);
  }
  const databaseBytesAfter = await databaseBytes(cluster, database);
  return { tokens, rssBytes, databaseBytesBefore, databaseBytesAfter };

  /** Ends after `count` tokens, not after a time. */
  async function saturateFor(count: number): Promise<void> {
    let left = count;
    while (left > 0) {
      const { answers } = await saturate({ port: server.port, scripts: repeating([request]) }, 0.5);
      left -= answers;
    }
  }
}

async function databaseBytes(cluster: EmbeddedPostgres, database: string): Promise<number> {
  const client = new pg.Client({ connectionString: cluster.url(database, "postgres") });
  await client.connect();
  try {
    const text = "select pg_database_size(current_database())::float8 as bytes";
    const { rows } = await client.query<{ bytes: number }>(text);
    return rows[0]?.bytes ?? NaN;
  } finally {
    await client.end();
  }
}
