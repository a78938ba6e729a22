import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type AppServer, startAppServer } from "../../test/app-server.ts";

const LIMIT = 20;

let server: AppServer;
let seconds: number;
beforeEach(() => {
  seconds = 100;
  vi.spyOn(performance, "now").mockImplementation(() => seconds * 1000);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await server.stop();
});

/** `count` requests at once, each with a body that is no form, as if from `address`. */
async function send(count: number, address: string): Promise<Response[]> {
  const headers = { "x-forwarded-for": address, "content-type": "text/plain" };
  return Promise.all(
    Array.from({ length: count }, () =>
      fetch(`${server.url}/form`, { method: "POST", headers, body: "%%%" }),
    ),
  );
}

const statuses = (answers: Response[]) =>
  Object.fromEntries(
    [...Map.groupBy(answers, ({ status }) => status)].map(([status, all]) => [status, all.length]),
  );

test("D2: an address is refused past its limit, before its requests are read; others are not", async () => {
  server = await startAppServer({ requestsPerAddress: LIMIT, trustedProxies: ["127.0.0.1"] });
  const answers = await send(3 * LIMIT, "192.0.2.1");
  expect(statuses(answers)).toEqual({ 415: LIMIT, 429: 2 * LIMIT });
  expect(statuses(await send(1, "192.0.2.2"))).toEqual({ 415: 1 });

  const last = answers.find(({ status }) => status === 429);
  expect(last?.headers.get("retry-after")).toBe("1");
  expect(await last?.json()).toEqual({
    type: "urn:daykey:problem:too-many-requests",
    title: "Too Many Requests",
    status: 429,
    detail: "Too many requests come from this address. Try again later.",
  });
  const told = server.lines.filter(
    ({ reason, level }) => reason === "too_many_of_address" && level === "info",
  );
  expect(told).toHaveLength(1);

  seconds += 1;
  expect(statuses(await send(LIMIT + 1, "192.0.2.1"))).toEqual({ 415: LIMIT, 429: 1 });
});

test("D2: the hosts of one IPv6 /64 share a limit", async () => {
  server = await startAppServer({ requestsPerAddress: LIMIT, trustedProxies: ["127.0.0.1"] });
  const answers = await Promise.all(
    Array.from({ length: 2 * LIMIT }, (_, i) => send(1, `2001:db8::${(i + 1).toString(16)}`)),
  );
  expect(statuses(answers.flat())).toEqual({ 415: LIMIT, 429: LIMIT });
});

test("0 lets everything pass", async () => {
  server = await startAppServer({ requestsPerAddress: 0 });
  expect(statuses(await send(3 * LIMIT, "192.0.2.1"))).toEqual({ 415: 3 * LIMIT });
});
