/** Two instances with two workers each behind a proxy are restarted one after the other, under load. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTwoServers, type TwoServers } from "../test/two-servers.ts";

let servers: TwoServers;
let proxy: Server;
beforeAll(async () => {
  servers = await startTwoServers({ WORKERS: "2", STOP_DELAY_SECONDS: "1" });
  const ports = [0, 1].map((server) => Number(new URL(servers.url(server)).port));
  proxy = createServer((client) => forward(client, ports)).listen(0, "127.0.0.1");
  await once(proxy, "listening");
});
afterAll(async () => {
  proxy.close();
  await servers.stop();
});

/** To the first server that takes the connection. */
function forward(client: Socket, [port = 0, ...others]: readonly number[]): void {
  const server = connect(port, "127.0.0.1");
  const endClient = () => void client.destroy();
  const tryNext = () => (others.length > 0 ? forward(client, others) : endClient());
  server.once("error", tryNext);
  server.once("connect", () => {
    server.off("error", tryNext).on("error", endClient);
    client.pipe(server).pipe(client);
    client.on("close", () => server.destroy());
  });
  client.on("error", () => {});
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
