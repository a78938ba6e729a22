import { createDatabase, type Database } from "@daykey/service/database/database";
import { createTestLog } from "@daykey/service/test/log";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ISSUER, startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";
import { createEndingSecrets } from "./ending-secrets.ts";
import { createSecretsStore } from "./secrets-store.ts";

let server: TestAuthServer;
let database: Database;
beforeAll(async () => {
  server = await startAuthServer();
  const { log } = createTestLog();
  database = createDatabase({ connectionString: server.database.appUrl, max: 1, log });
});
afterAll(async () => {
  await database.close();
  await server.stop();
});

/** Sets the ends of a new client's secrets, in days from now. */
async function clientWith(...days: number[]): Promise<string> {
  const { clientId } = await server.createClient();
  for (const _ of days.slice(1)) await server.addSecret(clientId);
  await server.database.query(
    `update daykey.secrets s set expires_at = now() + make_interval(hours => (24 * d.day)::int)
     from (select kid, row_number() over (order by kid) as n from daykey.secrets
           where client_id = '${clientId}') k
     join unnest('{${days.join()}}'::float8[]) with ordinality as d(day, n) using (n)
     where s.client_id = '${clientId}' and s.kid = k.kid`,
  );
  return clientId;
}

test("clients are counted by the end of their last secret, the ended ones too, once an hour", async () => {
  let now = 0;
  const store = createSecretsStore(database, { issuer: ISSUER, newsSeconds: 3900 });
  const ending = createEndingSecrets({ store, clock: () => now });
  expect(ending.counts()).toEqual({});

  await clientWith(6);
  await clientWith(3, 5);
  await clientWith(20);
  await clientWith(2, 100);
  await clientWith(40);
  await clientWith(-1);
  const withKeys = await clientWith(-1);
  await server.database.query(
    `update daykey.clients set jwks_uri = 'https://client.example/jwks' where client_id = '${withKeys}'`,
  );
  const disabled = await clientWith(6);
  await server.database.query(
    `update daykey.clients set enabled = false where client_id = '${disabled}'`,
  );
  const revoked = await clientWith(6, 100);
  await server.database.query(
    `update daykey.secrets set revoked_at = now(), verifiers = ''
     where client_id = '${revoked}' and expires_at > now() + interval '50 days'`,
  );
  await ending.count();
  expect(ending.counts()).toEqual({ ended: 1, "7d": 3, "30d": 4 });

  await clientWith(6);
  now += 3599;
  await ending.count();
  expect(ending.counts()).toEqual({ ended: 1, "7d": 3, "30d": 4 });
  now += 1;
  await ending.count();
  expect(ending.counts()).toEqual({ ended: 1, "7d": 4, "30d": 5 });
});
