/**
 * A streaming pair is failed over under load: the primary is killed, the standby promoted, and both
 * auth-servers find it by themselves. The ledger of what was acknowledged is held against what is there.
 */
import { migrateAuthServer } from "@daykey/auth-server/migrate";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AuthServerPair, startAuthServerPair } from "../test/auth-server-pair.ts";
import { createPlace, type Place, sleep } from "../test/stack.ts";
import { type StreamingPair, startStreamingPair } from "../test/streaming-pair.ts";

const CLIENTS = 8;

let pair: StreamingPair;
let place: Place;
let servers: AuthServerPair;
beforeAll(async () => {
  pair = await startStreamingPair();
  place = await createPlace();
  servers = await startAuthServerPair({ place, databaseUrl: () => pair.url("daykey_app") });
}, 120_000);
afterAll(async () => {
  await servers?.stop();
  await pair?.stop();
  await place?.remove();
});

/** One app: refreshes again and again, and keeps each refresh token it was given. */
function startApp(server: number) {
  const acknowledged: string[] = [];
  const answeredAt: number[] = [];
  let isOver = false;

  async function refresh(): Promise<void> {
    const form = { grant_type: "refresh_token", refresh_token: acknowledged.at(-1) ?? "" };
    const answer = await servers.authenticated(server, form);
    if (answer.status === 503) return sleep(20);
    expect(answer).toMatchObject({ status: 200 });
    acknowledged.push(answer.body["refresh_token"] ?? "");
    answeredAt.push(performance.now());
  }
  const running = (async () => {
    const opened = await servers.authenticated(server, { grant_type: "client_credentials" });
    acknowledged.push(opened.body["refresh_token"] ?? "");
    while (!isOver) await refresh();
  })();
  return {
    acknowledged,
    answeredAt,
    async stop() {
      isOver = true;
      await running;
    },
  };
}

test("R4: nothing acknowledged is lost in a failover, and used stays used", async () => {
  const apps = Array.from({ length: CLIENTS }, (_, i) => startApp(i % 2));
  const wentOn = (count: number) => () => apps.every(({ answeredAt }) => answeredAt.length > count);
  await expect.poll(wentOn(20), { timeout: 20_000 }).toBe(true);

  pair.killPrimary();
  const killedAt = performance.now();
  await sleep(500);
  await pair.promote();
  const before = Math.max(...apps.map(({ answeredAt }) => answeredAt.length));
  await expect.poll(wentOn(before + 20), { timeout: 30_000 }).toBe(true);
  await Promise.all(apps.map((app) => app.stop()));

  const first = Math.min(
    ...apps.flatMap(({ answeredAt }) => answeredAt.filter((t) => t > killedAt + 500)),
  );
  console.log(
    `failover: ${apps.flatMap(({ acknowledged }) => acknowledged).length} acknowledged, ` +
      `first answer ${Math.round(first - killedAt)} ms after the kill (promoted after 500 ms)`,
  );

  // Each grant's row is at the last number that was acknowledged, or one ahead whose answer was lost.
  for (const [i, { acknowledged }] of apps.entries()) {
    const again = await servers.authenticated(i % 2, {
      grant_type: "refresh_token",
      refresh_token: acknowledged.at(-1) ?? "",
    });
    expect(again.status).toBe(200);
    const used = acknowledged.at(-10) ?? "";
    const refused = await servers.authenticated(i % 2, {
      grant_type: "refresh_token",
      refresh_token: used,
    });
    expect(refused).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
  }
  const rows = await pair.query("select 1 from daykey.grants where revoke_reason = 'reuse'");
  expect(rows).toHaveLength(CLIENTS);
  // The migration finds the primary too.
  expect(await migrateAuthServer({ connectionString: pair.url("daykey_owner") })).toEqual([]);
}, 120_000);
