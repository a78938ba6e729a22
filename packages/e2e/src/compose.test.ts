/**
 * docker-compose.yml for real, on the Docker engine of this machine: DAYKEY_TEST_DOCKER=1 runs it. It
 * takes minutes, so that the suite otherwise only says that it was skipped.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  askToken,
  type Browser,
  compose,
  containersOf,
  type Client,
  createBrowser,
  docker,
  ISSUER,
  type Outcome,
  register,
  RESOURCE,
  startLoad,
  untilHealthy,
} from "../test/compose.ts";
import { sleep } from "../test/stack.ts";

const LANES = 8;
const MINUTES = 60_000;

const failed = (outcomes: readonly Outcome[]): Outcome[] =>
  outcomes.filter(({ failure }) => failure !== undefined);

/** What a run saw, for who reads its output. */
function report(title: string, outcomes: readonly Outcome[]): void {
  const times = outcomes.map(({ startedAt, endedAt }) => endedAt - startedAt);
  const slowest = Math.round(Math.max(...times));
  const failures = failed(outcomes).map(({ what, failure }) => `${what}: ${failure}`);
  console.log(
    `${title}: ${outcomes.length} requests, ${failures.length} failed, slowest ${slowest} ms`,
    failures,
  );
}

describe.skipIf(process.env["DAYKEY_TEST_DOCKER"] !== "1")(
  "docker compose (needs DAYKEY_TEST_DOCKER=1)",
  () => {
    let browser: Browser;
    let client: Client;
    let token: string;

    beforeAll(async () => {
      await compose("down -v");
      const begun = performance.now();
      await compose("up -d --build");
      for (const service of ["auth-server", "resource-server", "proxy"]) {
        for (const id of await containersOf(service)) await untilHealthy(id);
      }
      console.log(`healthy after ${Math.round((performance.now() - begun) / 100) / 10} s`);
      browser = await createBrowser();
      client = await register(
        `load --name Load --resource ${RESOURCE} --scope time:read primes:check --refresh`,
      );
      const { body } = await askToken(browser, client);
      token = (JSON.parse(body) as { access_token: string }).access_token;
    }, 10 * MINUTES);

    afterAll(() => compose("--profile demo down -v"), MINUTES);

    const time = (): Promise<{ status: number }> =>
      browser.ask(`${RESOURCE}/time`, { headers: { authorization: `Bearer ${token}` } });

    test("two of each server run, as user 1000, on a read-only file system", async () => {
      for (const service of ["auth-server", "resource-server"]) {
        const ids = await containersOf(service);
        expect(ids).toHaveLength(2);
        const format = "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}}";
        for (const id of ids) {
          expect((await docker("inspect", "-f", format, id)).trim()).toBe("1000:1000 true [ALL]");
        }
      }
    });

    test(
      "the demo does the main job through the proxy, twice",
      async () => {
        for (const _ of [1, 2]) {
          const shown = await compose("run --rm -T demo");
          expect(shown).toContain("6. GET /time, with the new token");
          expect(shown).toContain('"certainty":"proven"');
        }
      },
      2 * MINUTES,
    );

    test(
      "the command line manages; no address outside does",
      async () => {
        const listed = await compose("run --rm -T cli clients list");
        expect(listed).toMatch(/^admin .*\n(?:demo .*\n)?load .*\nresource-server /m);
        expect((await browser.ask(`${ISSUER}/admin/v1/clients`)).status).toBe(404);
        expect((await browser.ask(`${ISSUER}/metrics`)).status).toBe(404);
        const elsewhere = await browser.ask(`${ISSUER}/readyz`, { headers: { host: "elsewhere" } });
        expect(elsewhere.status).toBe(421);
      },
      MINUTES,
    );

    test("H3: what a client says of addresses is not believed", async () => {
      await browser.ask(`${RESOURCE}/time`, { headers: { "x-forwarded-for": "203.0.113.77" } });
      expect(await compose("logs --no-color resource-server")).not.toContain("203.0.113.77");
    });

    test(
      "the feed of revocations is neither held back nor cut by the proxy",
      async () => {
        const listener = await register(
          `--name Listener --resource ${ISSUER} --scope revocations:read`,
        );
        const { access_token } = JSON.parse((await askToken(browser, listener)).body) as {
          access_token: string;
        };
        const headers = { authorization: `Bearer ${access_token}` };
        const times = await browser.listen(`${ISSUER}/revocations`, headers, 45);
        expect(times.length).toBeGreaterThan(12);
        const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
        expect(Math.max(...gaps)).toBeLessThan(10_000);
      },
      2 * MINUTES,
    );

    test(
      "one auth-server killed under load: nothing fails but what it had begun",
      async () => {
        const [victim = ""] = await containersOf("auth-server");
        const load = startLoad(browser, client, LANES);
        await sleep(3000);
        const killedFrom = performance.now();
        await docker("kill", victim);
        const killedBy = performance.now();
        await sleep(7000);
        await docker("start", victim);
        await untilHealthy(victim);
        const outcomes = await load.stop();
        report("killed", outcomes);
        const others = failed(outcomes).filter(
          ({ startedAt, endedAt }) => startedAt > killedBy || endedAt < killedFrom,
        );
        expect(others).toEqual([]);
        expect(failed(outcomes).length).toBeLessThanOrEqual(LANES);
      },
      3 * MINUTES,
    );

    test(
      "a rolling restart of all servers fails nothing",
      async () => {
        const load = startLoad(browser, client, LANES);
        for (const service of ["auth-server", "resource-server"]) {
          for (const id of await containersOf(service)) {
            await docker("restart", "-t", "10", id);
            await untilHealthy(id);
            await sleep(1500);
          }
        }
        const outcomes = await load.stop();
        report("restarted", outcomes);
        expect(failed(outcomes)).toEqual([]);
      },
      5 * MINUTES,
    );

    test(
      "a third auth-server is used as soon as it is ready, and one less is no fault",
      async () => {
        const load = startLoad(browser, client, LANES);
        await compose("up -d --no-recreate --scale auth-server=3");
        const ids = await containersOf("auth-server");
        expect(ids).toHaveLength(3);
        for (const id of ids) await untilHealthy(id);
        await sleep(3000);
        await compose("up -d --no-recreate --scale auth-server=2");
        const outcomes = await load.stop();
        report("scaled", outcomes);
        expect(failed(outcomes)).toEqual([]);
      },
      5 * MINUTES,
    );

    test(
      "down and up keep everything: a token from before, the client's secret, the keys",
      async () => {
        await compose("down");
        await compose("up -d");
        for (const service of ["auth-server", "resource-server", "proxy"]) {
          for (const id of await containersOf(service)) await untilHealthy(id);
        }
        expect((await time()).status).toBe(200);
        expect((await askToken(browser, client)).status).toBe(200);
      },
      5 * MINUTES,
    );
  },
);
