/**
 * What grows with use, at sizes nobody waits for in a test: clients, grants, revocations. Prints the
 * figures of docs/explanation/scaling.md: `npm run bench:scale -- [clients] [grants]`.
 */
import { randomUUID } from "node:crypto";
import { createClientCache } from "@daykey/auth-server/clients/client-cache";
import { createClientsStore } from "@daykey/auth-server/clients/clients-store";
import { createGrantsStore } from "@daykey/auth-server/grants/grants-store";
import { migrateAuthServer } from "@daykey/auth-server/migrate";
import { createLiveSet } from "@daykey/auth-server/revocation/live-set";
import { createRevocationsStore } from "@daykey/auth-server/revocation/revocations-store";
import { dayOf } from "@daykey/common/clock";
import { prepareDatabase } from "@daykey/local/prepare-database";
import { createDatabase } from "@daykey/service/database/database";
import { createLog } from "@daykey/service/observe/log";
import pg from "pg";
import { startPostgres } from "./daykey.ts";

const DATABASE = "scale";
const SECRET_DAYS = 367;
const LOOKUPS = 2000;
const CACHED = 20_000;
const REVOCATIONS = [1000, 10_000, 100_000];

const [clientCount = 100_000, grantCount = 1_000_000] = process.argv.slice(2).map(Number);

const cluster = await startPostgres();
await prepareDatabase({ cluster, name: DATABASE });
await migrateAuthServer({ connectionString: cluster.url(DATABASE, "daykey_owner") });
const superuser = new pg.Client({ connectionString: cluster.url(DATABASE, "postgres") });
await superuser.connect();
const log = createLog({ name: "scale", level: "silent" });
const database = createDatabase({ connectionString: cluster.url(DATABASE, "daykey_app"), log });
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const rounded = (value: number, digits = 2): string => value.toFixed(digits);

async function bytesOf(...tables: string[]): Promise<number> {
  let bytes = 0;
  for (const table of tables) {
    const text = "select pg_total_relation_size($1)::float8 as bytes";
    const { rows } = await superuser.query<{ bytes: number }>(text, [`daykey.${table}`]);
    bytes += rows[0]?.bytes ?? 0;
  }
  return bytes;
}

/** Sorted milliseconds of doing it so often, one after the other. */
async function timesOf(count: number, work: (i: number) => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const startedAt = performance.now();
    await work(i);
    times.push(performance.now() - startedAt);
  }
  return times.toSorted((a, b) => a - b);
}

const quantiles = (times: number[]): string =>
  `p50 ${rounded(times[times.length >> 1] ?? NaN)} ms, p99 ${rounded(times[Math.floor(times.length * 0.99)] ?? NaN)} ms`;

/** What is really in use, the buffers outside the heap too. */
function heapBytes(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function measureClients(): Promise<void> {
  // Rows as the API writes them; only that they are made at once is different. The triggers number
  // changes one by one, which is what a registration costs, not what is measured here.
  await superuser.query("set session_replication_role = replica");
  await superuser.query(
    `insert into daykey.clients (client_id, name, auth_methods, grant_types, scopes, resources, change)
     select 'client-' || i, 'client ' || i, '{client_secret_hash_day}', '{client_credentials}',
       '{time:read}', '{https://api.example.com}', i from generate_series(1, $1::int) i`,
    [clientCount],
  );
  await superuser.query(
    `insert into daykey.secrets (client_id, kid, kind, salt, first_day, verifiers, expires_at)
     select 'client-' || i, 'abcdefgh', 'generated', md5(i::text), current_date,
       decode(repeat(md5(i::text), ${SECRET_DAYS * 2}), 'hex'), now() + interval '366 days'
     from generate_series(1, $1::int) i`,
    [clientCount],
  );
  await superuser.query("set session_replication_role = origin");
  await superuser.query("analyze");
  const clients = createClientsStore(database, {
    issuer: "https://auth.example.com",
    longestGrantSeconds: 0,
  });
  const now = Date.now() / 1000;
  const window = { now, firstDay: dayOf(now) };
  const any = (): string => `client-${1 + Math.floor(Math.random() * clientCount)}`;
  const times = await timesOf(LOOKUPS, () => clients.find(any(), window));
  const bytes = await bytesOf("clients", "secrets");
  const cache = createClientCache({
    store: clients,
    clock: () => now,
    enumerationKey: Buffer.alloc(32),
    capacity: CACHED,
    isStale: () => false,
  });
  const cached = Math.min(CACHED, clientCount);
  const heapBefore = heapBytes();
  await timesOf(cached, (i) => cache.find(`client-${i + 1}`));
  const cacheBytes = (heapBytes() - heapBefore) / cached;
  print(
    `${clientCount} clients: ${rounded(bytes / clientCount / 1024, 1)} KiB each; one read that is in no cache: ${quantiles(times)}; in memory ${rounded(cacheBytes / 1024, 1)} KiB each`,
  );
}

async function measureGrants(): Promise<void> {
  await superuser.query(
    `insert into daykey.grants (id, client_id, seq, rotated_at, expires_at)
     select gen_random_uuid(), 'client-1', 1, now(), now() + interval '7 days'
     from generate_series(1, $1::int)`,
    [grantCount],
  );
  await superuser.query("analyze daykey.grants");
  const grants = createGrantsStore(database, { newsSeconds: 3900 });
  const grantId = randomUUID();
  const expiresAt = Date.now() / 1000 + 3600;
  const times = await timesOf(LOOKUPS, (seq) =>
    grants.rotate({ grantId, clientId: "client-1", seq, expiresAt }),
  );
  const bytes = await bytesOf("grants");
  print(
    `${grantCount} grants with a row: ${Math.round(bytes / grantCount)} bytes each; one rotation, alone: ${quantiles(times)}`,
  );
}

async function measureRevocations(): Promise<void> {
  const store = createRevocationsStore(database, { newsSeconds: 3900 });
  for (const count of REVOCATIONS) {
    await superuser.query("truncate daykey.revocations");
    await superuser.query(
      `insert into daykey.revocations (kind, subject, client_id, expires_at)
       select 'grant', gen_random_uuid()::text, 'client-1', now() + interval '65 minutes'
       from generate_series(1, $1::int)`,
      [count],
    );
    const liveSet = createLiveSet(store, { log });
    const cpuBefore = process.cpuUsage();
    const times = await timesOf(10, () =>
      liveSet.look({ last: 0, databaseNow: Date.now() / 1000, isSameOrder: false }),
    );
    const { user, system } = process.cpuUsage(cpuBefore);
    print(
      `${count} live revocations: read whole in ${quantiles(times)}, ${rounded((user + system) / 10 / 1000, 1)} ms of CPU`,
    );
  }
}

try {
  await measureGrants();
  await measureRevocations();
  await measureClients();
} finally {
  await database.close();
  await superuser.end();
  await cluster.remove();
}
