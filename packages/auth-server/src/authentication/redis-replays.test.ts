/** Used one-time hashes in a real Redis, over two instances of the server. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { scrape } from "@daykey/service/test/metrics";
import { machineTool } from "@daykey/service/test/machine-tool";
import { type RedisServer, startRedis } from "@daykey/service/test/redis-server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestAdmin } from "../../test/admin.ts";
import { startAuthServer, type TestAuthServer, type TestClient } from "../../test/auth-server.ts";

const PARALLEL = 16;
const ROUNDS = 20;
const SLOW = { timeout: 30_000 };

const program = machineTool("redis-server");

describe.skipIf(program === undefined)("REDIS_URL", () => {
  let redis: RedisServer;
  let first: TestAuthServer;
  let second: TestAuthServer;
  let client: TestClient;
  beforeAll(async () => {
    redis = await startRedis(program ?? "");
    const config = { redisUrl: redis.url };
    first = await startAuthServer({ config });
    second = await startAuthServer({ config, database: first.database });
    client = await first.createClient();
  });
  afterAll(async () => {
    await second?.stop();
    await first?.stop();
    await redis?.kill();
  });

  async function statusOf(server: TestAuthServer, client_secret_hash: string): Promise<number> {
    const form = { grant_type: "client_credentials", client_id: client.clientId };
    return (await server.token({ ...form, client_secret_hash })).status;
  }

  test(`C8: of ${PARALLEL} at once over two instances one is accepted, and PostgreSQL has no row`, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const hash = await first.oneTime(client);
      const requests = Array.from({ length: PARALLEL }, (_, i) => (i % 2 ? first : second));
      const statuses = await Promise.all(requests.map((server) => statusOf(server, hash)));
      expect(statuses.toSorted((a, b) => a - b)).toEqual([200, ...Array(PARALLEL - 1).fill(401)]);
    }
    expect(await first.database.query("select from daykey.nonces")).toEqual([]);
  });

  test("R14: a hash from before a restore is refused at both instances", async () => {
    const before = await first.oneTime(client);
    const admin = await createTestAdmin(first);
    expect((await admin.post("/restored")).status).toBe(200);
    await Promise.all([first.look(), second.look()]);
    expect(await statusOf(first, before)).toBe(401);
    expect(await statusOf(second, before)).toBe(401);
    expect(await statusOf(second, await second.oneTime(client, second.now() + 2))).toBe(200);
  });

  test.each([
    ["OOM", ["config set maxmemory 1"], ["config set maxmemory 0"]],
    ["READONLY", ["replicaof 127.0.0.1 1"], ["replicaof no one"]],
    [
      "NOAUTH",
      ["acl setuser default resetpass >x on", "client kill type normal"],
      ["auth x", "acl setuser default nopass"],
    ],
    ["NOPERM", ["acl setuser default -set"], ["acl setuser default +set"]],
    // It takes no writes while it cannot save; here a folder stands where it saves.
    ["MISCONF", ['config set save "1 1"', "set x x", "bgsave"], ["bgsave", 'config set save ""']],
  ])(
    "a Redis that refuses (%s) is told in its own name, and is not an outage of the database",
    async (refusal, begin, mend) => {
      const blocked = join(redis.folder, "dump.rdb");
      await mkdir(join(blocked, "x"), { recursive: true });
      await redis.command(...begin);
      const ready = async () => (await fetch(`${first.privateUrl}/readyz`)).json();
      const degraded = { status: "ready", degraded: { redis: `refuses (${refusal})` } };
      // Before anybody asks for a token.
      await expect.poll(ready, SLOW).toEqual(degraded);
      const when = first.now() + 2;
      const answers = async () => {
        const hash = await first.oneTime(client, when);
        const form = { grant_type: "client_credentials", client_id: client.clientId };
        return (await first.token({ ...form, client_secret_hash: hash })).status;
      };
      await expect.poll(answers).toBe(503);
      expect(await ready()).toEqual(degraded);
      expect((await scrape(first.privateUrl)).values("redis_usable")).toEqual({ "": 0 });
      const last = (name: string, value: unknown) =>
        first.lines.findLast((line) => line[name] === value);
      expect(last("event", "redis_refuses")).toMatchObject({ refusal });
      expect(last("error", "temporarily_unavailable")).toMatchObject({ reason: "redis_refused" });
      expect((await first.clientCredentials(client)).status).toBe(200);

      await rm(blocked, { recursive: true });
      await redis.command(...mend);
      await expect.poll(ready, SLOW).toEqual({ status: "ready" });
      expect(await answers()).toBe(200);
    },
    90_000,
  );

  test("without Redis a one-time hash is 503, and the day form goes on; with it again, all does", async () => {
    await redis.kill();
    const form = { grant_type: "client_credentials", client_id: client.clientId };
    const answer = await first.token({
      ...form,
      client_secret_hash: await first.oneTime(client, first.now() + 3),
    });
    expect(answer).toMatchObject({ status: 503, body: { error: "temporarily_unavailable" } });
    expect((await first.clientCredentials(client)).status).toBe(200);

    await redis.restart();
    const again = async () => statusOf(first, await first.oneTime(client, first.now() + 4));
    await expect.poll(again, { timeout: 10_000 }).toBe(200);
  });
});
