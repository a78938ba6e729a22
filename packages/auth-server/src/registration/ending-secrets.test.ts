import { createDatabase, type Database } from "@daykey/service/database/database";
import { createTestLog } from "@daykey/service/test/log";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestAdmin, type TestAdmin } from "../../test/admin.ts";
import { startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";
import { createEndingSecrets } from "./ending-secrets.ts";
import { createEndingSecretsStore, type EndingSecretsStore } from "./ending-secrets-store.ts";

let server: TestAuthServer;
let admin: TestAdmin;
let database: Database;
let store: EndingSecretsStore;
const { log, lines } = createTestLog();
beforeAll(async () => {
  server = await startAuthServer();
  admin = await createTestAdmin(server);
  database = createDatabase({ connectionString: server.database.appUrl, max: 1, log });
  store = createEndingSecretsStore(database);
});
afterAll(async () => {
  await database.close();
  await server.stop();
});

/** Sets the ends of a new client's secrets, in days from now. */
async function clientWith(clientId: string, days: number[], set = ""): Promise<void> {
  await server.createClient({ clientId });
  for (const _ of days.slice(1)) await server.addSecret(clientId);
  await server.database.query(
    `update daykey.secrets s set expires_at = now() + make_interval(hours => (24 * d.day)::int)
     from (select kid, row_number() over (order by kid) as n from daykey.secrets
           where client_id = '${clientId}') k
     join unnest('{${days.join()}}'::float8[]) with ordinality as d(day, n) using (n)
     where s.client_id = '${clientId}' and s.kid = k.kid`,
  );
  if (set === "") return;
  await server.database.query(`update daykey.clients set ${set} where client_id = '${clientId}'`);
}

async function secretSet(clientId: string, set: string, which = "true"): Promise<void> {
  await server.database.query(
    `update daykey.secrets set ${set} where client_id = '${clientId}' and ${which}`,
  );
}

async function registerKey(clientId: string, set = "revoked_at = null"): Promise<void> {
  await server.database.query(
    `insert into daykey.client_keys (client_id, kid, algorithm, public_jwk)
     values ('${clientId}', 'key', 'Ed25519', '{}')`,
  );
  await server.database.query(
    `update daykey.client_keys set ${set} where client_id = '${clientId}'`,
  );
}

interface Item {
  client_id: string;
  kid: string;
  state: string;
}
const ask = async (query = ""): Promise<Item[]> => {
  const answer = await admin.get(`/secrets${query}`);
  expect(answer.status, answer.text).toBe(200);
  return answer.body.items as Item[];
};
const ids = (items: Item[]): string[] => items.map(({ client_id }) => client_id);

const BY_KEY = "auth_methods = '{client_secret_hash_day,private_key_jwt}'";
const PUBLISHING = "jwks_uri = 'https://client.example/jwks'";

const named = (): unknown[] => lines.filter(({ event }) => event === "secrets_ending");

test("the metric, the list and the log agree on whose last secret ends soon or has ended", async () => {
  let now = 0;
  const ending = createEndingSecrets({ store, clock: () => now, log });
  expect(ending.counts()).toEqual({});
  await ending.count();
  expect(ending.counts()).toEqual({ ended: 0, "7d": 0, "30d": 0 });
  expect(named()).toEqual([]);

  await clientWith("six", [6]);
  await clientWith("three-five", [3, 5]);
  await clientWith("twenty", [20]);
  await clientWith("one-goes-on", [2, 100]);
  await clientWith("forty", [40]);
  await clientWith("over", [-1]);
  await clientWith("over-long-ago", [-300, -200]);
  await clientWith("disabled", [6], "enabled = false");
  await clientWith("deleted", [6], "deleted_at = now()");
  // Revoked ones are no way in, and one whose only secret was revoked is out on purpose.
  await clientWith("goes-on-revoked", [6, 100]);
  await secretSet("goes-on-revoked", "revoked_at = now()", "expires_at > now() + '50 days'");
  await clientWith("revoked", [6]);
  await secretSet("revoked", "revoked_at = now()");
  // A key silences where the client may use it, alike for all windows.
  await clientWith("key-week", [6], BY_KEY);
  await registerKey("key-week");
  await clientWith("key-over", [-1], BY_KEY);
  await registerKey("key-over");
  await clientWith("publishing", [20], `${BY_KEY}, ${PUBLISHING}`);
  await clientWith("key-not-its-method", [6]);
  await registerKey("key-not-its-method");
  await clientWith("publishing-not-its-method", [-1], PUBLISHING);
  await clientWith("key-revoked", [6], BY_KEY);
  await registerKey("key-revoked", "revoked_at = now()");
  await clientWith("method-without-key", [6], BY_KEY);
  await clientWith("key-alone", [6], "auth_methods = '{private_key_jwt}'");
  // A chosen secret works in the hash forms alone.
  await clientWith("chosen-useless", [6, 100], "auth_methods = '{client_secret_basic}'");
  await secretSet("chosen-useless", "kind = 'chosen'", "expires_at > now() + '50 days'");
  await clientWith("chosen", [6]);
  await secretSet("chosen", "kind = 'chosen'");

  now += 3600;
  await ending.count();
  expect(ending.counts()).toEqual({ ended: 3, "7d": 8, "30d": 9 });
  const expected = [
    "over-long-ago",
    "over",
    "publishing-not-its-method",
    "three-five",
    "chosen",
    "chosen-useless",
    "key-not-its-method",
    "key-revoked",
    "method-without-key",
    "six",
    "goes-on-revoked",
    "twenty",
  ];
  const items = await ask();
  expect(ids(items).toSorted()).toEqual(expected.toSorted());
  expect(ids(items).slice(0, 1)).toEqual(["over-long-ago"]);
  expect(items.filter(({ state }) => state === "ended").length).toBe(3);
  const weekly = await ask(`?ending_within_seconds=${7 * 86_400}`);
  expect(ids(weekly)).toEqual(ids(items).filter((id) => id !== "twenty"));
  expect(ids(await ask("?ending_within_seconds=0"))).toEqual(ids(items).slice(0, 3));
  expect(ids(await ask("?ending_within_seconds=34560000"))).toContain("forty");

  expect(named()).toMatchObject([
    {
      level: "warn",
      ended: 3,
      "7d": 8,
      "30d": 9,
      clients: items.map(({ client_id: client, kid }) => ({ client, kid })),
    },
  ]);

  await clientWith("another", [6]);
  now += 3599;
  await ending.count();
  expect(ending.counts()).toEqual({ ended: 3, "7d": 8, "30d": 9 });
  now += 1;
  await ending.count();
  expect(ending.counts()).toEqual({ ended: 3, "7d": 9, "30d": 10 });
  expect(named().length).toBe(1);
  now += 86_400 - 3600;
  await ending.count();
  expect(named().length).toBe(2);
});

test("the log names 20 clients at most", async () => {
  for (let i = 0; i < 21; i++) await clientWith(`many-${i}`, [4]);
  await createEndingSecrets({ store, clock: () => 0, log }).count();
  const line = lines.findLast(({ event }) => event === "secrets_ending");
  expect(line?.["clients"]).toHaveLength(20);
});

test.each([1, 2, 5, 200])(
  "pages of %i hold each client once, also those of one instant",
  async (limit) => {
    await server.database.query(
      `update daykey.secrets set expires_at = now() + interval '4 days' where client_id like 'many-%'`,
    );
    const all = ids(await ask("?limit=200"));
    expect(new Set(all).size).toBe(all.length);
    const walked: string[] = [];
    let cursor = "";
    do {
      const { body } = await admin.get(`/secrets?limit=${limit}${cursor}`);
      walked.push(...ids(body.items as Item[]));
      cursor = body.next_cursor === null ? "" : `&cursor=${body.next_cursor}`;
    } while (cursor !== "");
    expect(walked).toEqual(all);
  },
);

test("a page looks at a bounded number of secrets, and those behind are found", async () => {
  await clientWith("renewed", [100]);
  await server.database.query(
    `insert into daykey.secrets (client_id, kid, kind, salt, first_day, verifiers, expires_at)
     select client_id, lpad(n::text, 8, '0'), kind, salt, first_day, verifiers,
       now() - make_interval(days => 1000, secs => n)
     from daykey.secrets, generate_series(1, 2500) n where client_id = 'renewed'`,
  );
  const all: string[] = [];
  const sizes: number[] = [];
  let next = "";
  do {
    const { body } = await admin.get(`/secrets?limit=200${next}`);
    all.push(...ids(body.items as Item[]));
    sizes.push(body.items.length);
    next = body.next_cursor === null ? "" : `&cursor=${body.next_cursor}`;
  } while (next !== "");
  expect(sizes.slice(0, 2)).toEqual([0, 0]);
  expect(all).toContain("over-long-ago");
  expect(all).not.toContain("renewed");
  const before = named().length;
  await createEndingSecrets({ store, clock: () => 200_000, log }).count();
  const line = lines.findLast(({ event }) => event === "secrets_ending");
  expect(named().length).toBe(before + 1);
  expect(line?.["clients"]).toHaveLength(20);
});

test("of many processes at once one names them, and the next day one again", async () => {
  const many = (now: number) =>
    Promise.all(
      Array.from({ length: 5 }, () =>
        createEndingSecrets({ store, clock: () => now, log }).count(),
      ),
    );
  const before = named().length;
  await many(400_000);
  await many(400_000 + 3600);
  expect(named().length).toBe(before + 1);
  await many(400_000 + 86_400);
  expect(named().length).toBe(before + 2);
  // A clock that was wrong for a moment: what it wrote keeps nobody silent.
  await many(40_000_000_000);
  await many(500_000);
  expect(named().length).toBe(before + 4);
});

const cursor = (text: string): string => Buffer.from(text, "latin1").toString("base64url");

test.each([
  "ending_within_seconds=-1",
  "ending_within_seconds=34560001",
  "ending_within_seconds=1e3",
  "ending_within_seconds=",
  "ending_within_seconds=30d",
  "ending_within_seconds=1&ending_within_seconds=2",
  "limit=0",
  "limit=201",
  "client=x",
  "__proto__=1",
  "cursor=AAAA",
  `cursor=${cursor("client_id a")}`,
  `cursor=${cursor("ends 2026-02-30T12:00:00.000000Z a")}`,
  `cursor=${cursor("ends 0000-01-01T00:00:00.000000Z a")}`,
  `cursor=${cursor("ends 2026-11-21T12:00:00.000000Z a'--")}`,
  `cursor=${cursor("ends infinity a")}`,
])("A5: /secrets?%s is 400", async (query) => {
  const answer = await admin.get(`/secrets?${query}`);
  expect(answer.status, answer.text).toBe(400);
});

test("the question has its index, which the serving role's settings let it use", async () => {
  // What the planner knows of the table is the same whenever this runs.
  await server.database.query("vacuum (analyze) daykey.secrets");
  const plan = await database.transaction(async (tx) => {
    // A table so short is read faster in other ways.
    for (const way of ["seqscan", "bitmapscan", "sort", "hashagg"]) {
      await tx.query({ text: `set local enable_${way} = off` });
    }
    const { rows } = await tx.query<{ "QUERY PLAN": string }>({
      text: `explain select client_id, max(expires_at) filter (where kind = 'chosen')
             from daykey.secrets where revoked_at is null group by client_id`,
    });
    return rows.map((row) => row["QUERY PLAN"]).join("\n");
  });
  expect(plan).toContain("secrets_ends");
});
