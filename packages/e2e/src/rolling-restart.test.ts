/** Two instances with two workers each behind a proxy are restarted one after the other, under load. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTwoServers, type TwoServers } from "../test/two-servers.ts";

let servers: TwoServers;
let proxy: Server;
beforeAll(async () => {
  servers = await startTwoServers({ WORKERS: "2", STOP_DELAY_SECONDS: "1" });
  proxy = createServer((client) => void forward(client)).listen(0, "127.0.0.1");
  await once(proxy, "listening");
});
afterAll(async () => {
  proxy.close();
  await servers.stop();
});

/** To the first server that says it is ready, as proxies with health checks do. */
async function forward(client: Socket): Promise<void> {
  client.on("error", () => {});
  const urls = [servers.url(0), servers.url(1)];
  const url = (await isReady(urls[0])) ? urls[0] : urls[1];
  const server = connect(Number(new URL(url ?? "").port), "127.0.0.1");
  server.on("error", () => client.destroy());
  client.on("close", () => server.destroy());
  client.pipe(server).pipe(client);
}

async function isReady(url = ""): Promise<boolean> {
  const answer = fetch(`${url}/readyz`, { headers: { Connection: "close" } });
  return answer.then(
    ({ ok }) => ok,
    () => false,
  );
}

test("a rolling restart fails no request", async () => {
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/oauth2/token`;
  const body = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: servers.demo.client_id,
    client_secret: servers.demo.client_secret,
  });
  let isOver = false;
  const statuses: unknown[] = [];
  const loops = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      const answer = fetch(url, { method: "POST", body });
      statuses.push(
        await answer.then(async (response) => (await response.text(), response.status), String),
      );
    }
  });
  for (const server of [0, 1]) {
    await servers.stopServer(server);
    await servers.startServer(server);
  }
  isOver = true;
  await Promise.all(loops);
  expect(statuses.length).toBeGreaterThan(20);
  expect(statuses.filter((status) => status !== 200)).toEqual([]);
}, 120_000);
