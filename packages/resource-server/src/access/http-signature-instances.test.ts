/** C8 for signed requests: a nonce works once at all instances together, and nothing is let through unremembered. */
import { createTestDatabase, type TestDatabase } from "@daykey/service/test/database";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startResourceServer, type TestResourceServer } from "../../test/resource-server.ts";
import { createSignatureKey, signedHeaders } from "../../test/signature-key.ts";

const key = createSignatureKey();
let database: TestDatabase;
const instances: TestResourceServer[] = [];
beforeAll(async () => {
  database = await createTestDatabase();
  const store = {
    kind: "postgresql" as const,
    url: database.resourceUrl,
    pool: 2,
    preparedStatements: true,
  };
  for (let count = 0; count < 2; count++) {
    const instance = await startResourceServer({ config: { store } });
    instance.authServer.answerKeys(() => key.answer());
    instances.push(instance);
  }
});
afterAll(async () => {
  for (const instance of instances) await instance.stop();
  await database.drop();
});

/** The statuses that one signed request gets, sent eight times to each instance at once. */
async function statuses(): Promise<number[]> {
  const headers = await signedHeaders({ key, created: Math.floor(instances[0]?.now() ?? 0) });
  const answers = await Promise.all(
    instances.flatMap((instance) =>
      Array.from({ length: 8 }, () => instance.request("GET /time", { headers })),
    ),
  );
  return answers.map(({ status }) => status).toSorted((a, b) => a - b);
}

test("of sixteen at two instances one is served, thirty times over", async () => {
  const expected = [200, ...Array<number>(15).fill(401)];
  for (let round = 0; round < 30; round++) expect(await statuses()).toEqual(expected);
});

test("V9: while nonces cannot be remembered, nobody who signs is served", async () => {
  await database.query("alter table daykey_resource.nonces rename to away");
  expect(new Set(await statuses())).toEqual(new Set([503]));
  await database.query("alter table daykey_resource.away rename to nonces");
  expect((await statuses())[0]).toBe(200);
});
