import { once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";

import { type AppServer, startAppServer } from "../../test/app-server.ts";
import { createCohorts, type JoinCohort } from "./cohorts.ts";

let server: AppServer | undefined;
afterEach(() => server?.stop());

/** Two steps with a wait between, as every request has. */
async function takeSteps(join: JoinCohort, name: string, steps: string[]): Promise<void> {
  await join();
  steps.push(`${name}1`);
  await Promise.resolve();
  steps.push(`${name}2`);
}

test("those of one turn take every step together", async () => {
  const join = createCohorts(10);
  const steps: string[] = [];
  await Promise.all(["a", "b", "c"].map((name) => takeSteps(join, name, steps)));
  expect(steps.join(" ")).toBe("a1 b1 c1 a2 b2 c2");
});

test("a cohort that is full goes before the next", async () => {
  const join = createCohorts(2);
  const steps: string[] = [];
  await Promise.all(["a", "b", "c"].map((name) => takeSteps(join, name, steps)));
  expect(steps.join(" ")).toBe("a1 b1 a2 b2 c1 c2");
});

test("nobody waits for a later turn", async () => {
  const join = createCohorts(10);
  const steps: string[] = [];
  const first = takeSteps(join, "a", steps);
  await nextTurn();
  const second = takeSteps(join, "b", steps);
  await Promise.all([first, second]);
  expect(steps.join(" ")).toBe("a1 a2 b1 b2");
});

test("requests that are read at once are a cohort", async () => {
  const steps: string[] = [];
  server = await startAppServer({
    addRoutes(router) {
      router.get("/steps/:name", async (ctx) => {
        await takeSteps(() => Promise.resolve(), ctx.params["name"] ?? "", steps);
        ctx.body = "";
      });
    },
  });
  const connections = [await server.open(), await server.open()];
  // The server is in this process, so it reads nothing before both are written.
  for (const [index, connection] of connections.entries()) {
    connection.write(`GET /steps/${"ab"[index]} HTTP/1.1\r\nHost: a.example\r\n\r\n`);
  }
  await Promise.all(connections.map((connection) => once(connection, "data")));
  for (const connection of connections) connection.destroy();
  expect(steps.join(" ")).toBe("a1 b1 a2 b2");
});
