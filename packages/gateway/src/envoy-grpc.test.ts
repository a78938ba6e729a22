/** Envoy's door over gRPC, by a client of its own protocol. */
import { credentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EXT_HEADER, HOST, startGateway, type TestGateway } from "../test/gateway.ts";
import { authorizationService } from "./envoy-grpc.ts";

let gateway: TestGateway;
let token: string;
beforeAll(async () => {
  gateway = await startGateway();
  token = await gateway.token();
});
afterAll(() => gateway.stop());

type Client = {
  Check(message: object, callback: (error: Error | null, response: Response) => void): void;
  close(): void;
};
interface Response {
  status: { code: number };
  denied_response?: { status: { code: number }; body: string } | null;
  ok_response?: {
    headers: { header: { key: string; value: string }; append_action: string }[];
    headers_to_remove: string[];
  } | null;
}
async function check(message: object, to: TestGateway = gateway): Promise<Response> {
  const Service = authorizationService();
  const client = new Service(
    `127.0.0.1:${to.grpcPort}`,
    credentials.createInsecure(),
  ) as unknown as Client;
  try {
    return await new Promise((resolve, reject) => {
      client.Check(message, (error, response) => (error ? reject(error) : resolve(response)));
    });
  } finally {
    client.close();
  }
}
const asked = (http: object, source = {}): object => ({
  attributes: {
    request: { http: { method: "GET", host: HOST, path: "/time", ...http } },
    source,
  },
});

test("tells whose the credential is, and what to take away", async () => {
  const headers = { authorization: `Bearer ${token}` };
  const { status, ok_response: ok } = await check(asked({ headers }));
  expect(status.code).toBe(0);
  const told = ok?.headers.map(({ header, append_action }) => [
    header.key,
    header.value,
    append_action,
  ]);
  const overwrite = "OVERWRITE_IF_EXISTS_OR_ADD";
  expect(told).toEqual([
    ["X-Daykey-Client", gateway.client.clientId, overwrite],
    ["X-Daykey-Scope", "time:read primes:check", overwrite],
    ["X-Daykey-Grant", expect.any(String), overwrite],
    ["X-Daykey-Subject", gateway.client.clientId, overwrite],
    ["X-Daykey-Ext", EXT_HEADER, overwrite],
  ]);
  expect(ok?.headers_to_remove).toEqual(["x-daykey-actor", "x-daykey-workload"]);
  const open = await check(asked({ path: "/open" }));
  expect(open.ok_response?.headers_to_remove).toEqual([
    "x-daykey-client",
    "x-daykey-scope",
    "x-daykey-grant",
    "x-daykey-subject",
    "x-daykey-actor",
    "x-daykey-workload",
    "x-daykey-ext",
  ]);
});

test.each([
  ["no credential", {}, 401],
  ["a path that is denied", { path: "/files/secret/x" }, 403],
  ["an ambiguous path", { path: "/files//x" }, 400],
  ["no path", { path: "" }, 400],
  ["no host", { host: "" }, 400],
  ["no method", { method: "" }, 400],
  ["an override", { path: "/open", headers: { "x-http-method-override": "DELETE" } }, 400],
  ["names of an object's prototype", { path: "/open", headers: {}, host: "constructor" }, 403],
])("%s is refused", async (_, http, status) => {
  const response = await check(asked(http));
  expect(response.status.code).not.toBe(0);
  expect(response.denied_response?.status.code).toBe(status);
  expect(JSON.parse(response.denied_response?.body ?? "")).toMatchObject({ status });
});

test("raw headers are read too, each line of them", async () => {
  const line = { key: "Authorization", raw_value: Buffer.from(`Bearer ${token}`) };
  const one = await check(asked({ header_map: { headers: [line] } }));
  expect(one.status.code).toBe(0);
  const two = await check(asked({ header_map: { headers: [line, line] } }));
  expect(two.denied_response?.status.code).toBe(400);
});

test("is for trusted proxies alone", async () => {
  const config = { trustedProxies: ["192.0.2.1"] };
  const strict = await startGateway({ auth: gateway.auth, config });
  try {
    const { status, ok_response: ok } = await check(asked({ path: "/open" }), strict);
    expect([status.code, ok ?? null]).toEqual([7, null]);
  } finally {
    await strict.stop();
  }
});

test("a message that says nothing is a fault of the call", async () => {
  await expect(check({})).rejects.toThrow(/INTERNAL/);
  await expect(check({ attributes: {} })).rejects.toThrow(/INTERNAL/);
});
