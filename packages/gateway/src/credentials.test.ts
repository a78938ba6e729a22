/** Credentials other than access tokens, as doors carry them. */
import { createTestAdmin } from "@daykey/auth-server/test/admin";
import { signUrl } from "@daykey/client/internal/sign-url";
import {
  readSignatureKey,
  type SignatureKey,
  type SignatureKeyFile,
} from "@daykey/client/internal/signature-key";
import { signRequest } from "@daykey/client/internal/signed-fetch";
import { machineTool } from "@daykey/service/test/machine-tool";
import { type RedisServer, startRedis } from "@daykey/service/test/redis-server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HOST, startGateway, type TestGateway } from "../test/gateway.ts";
import { question, send } from "../test/wire.ts";
import { HTTP_DOORS, type HttpDoor } from "./doors.ts";

let gateway: TestGateway;
let admin: Awaited<ReturnType<typeof createTestAdmin>>;
let key: SignatureKey;
beforeAll(async () => {
  gateway = await startGateway();
  admin = await createTestAdmin(gateway.auth);
  const { body } = await makeKey("signature-keys", { algorithm: "hmac-sha256" });
  const { id: key_id, ...made } = body as { id: string } & Omit<SignatureKeyFile, "key_id">;
  key = await readSignatureKey({ ...made, key_id });
});
afterAll(() => gateway.stop());
const makeKey = (kind: string, body: object) =>
  admin.post(`/clients/${gateway.client.clientId}/${kind}`, { name: "a key", ...body });
/** The status that the caller gets. @param at the gateway that is asked */
async function told(
  door: HttpDoor,
  method: string,
  target: string,
  headers: string[],
  at = gateway,
): Promise<number> {
  const answer = await send(at.publicPort, question(door, { method, target }, headers));
  return Number(answer.headers.get("x-daykey-status")?.[0] ?? answer.status);
}
async function signed(method: string, target: string, body?: Uint8Array): Promise<string[]> {
  const url = new URL(target, `https://${HOST}`);
  const fields = await signRequest(key, { method, url, body }, gateway.auth.now());
  return Object.entries(fields).map(([name, value]) => `${name}: ${value}`);
}

test.each(HTTP_DOORS)("an API key opens the door of %s", async (door) => {
  const { body } = await makeKey("api-keys", {});
  expect(await told(door, "GET", "/time", [`X-Api-Key: ${String(body["api_key"])}`])).toBe(200);
  expect(await told(door, "GET", "/admin", [`X-Api-Key: ${String(body["api_key"])}`])).toBe(403);
});

test.each(HTTP_DOORS)(
  "RFC 9421: so does a signature at that of %s, once, over what is asked",
  async (door) => {
    const fields = await signed("GET", "/files/x?a=1");
    expect(await told(door, "GET", "/files/y?a=1", fields)).toBe(401);
    expect(await told(door, "HEAD", "/files/x?a=1", fields)).toBe(401);
    expect(await told(door, "GET", "/files/x?a=1", fields)).toBe(200);
    expect(await told(door, "GET", "/files/x?a=1", fields)).toBe(401);
  },
);

test.each(HTTP_DOORS)(
  "one that should cover content, which the door of %s does not bring, is refused",
  async (door) => {
    for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
      expect([
        method,
        await told(door, method, "/files/x", await signed(method, "/files/x")),
      ]).toEqual([method, 401]);
      const fields = await signed(method, "/files/x", Buffer.from("hello"));
      expect([method, await told(door, method, "/files/x", fields)]).toEqual([method, 401]);
    }
  },
);

test.each(HTTP_DOORS)("a signed URL opens the door of %s for its method and path", async (door) => {
  const url = new URL(
    await signUrl(key, `https://${HOST}/files/x?a=1`, { now: gateway.auth.now() }),
  );
  const target = `${url.pathname}${url.search}`;
  expect(await told(door, "GET", target, [])).toBe(200);
  expect(await told(door, "POST", target, [])).toBe(401);
  expect(await told(door, "GET", target.replace("/x", "/y"), [])).toBe(401);
});

const redisServer = machineTool("redis-server");
describe.skipIf(redisServer === undefined)("two gateways with one Redis", () => {
  let redis: RedisServer;
  let both: TestGateway[];
  beforeAll(async () => {
    redis = await startRedis(redisServer ?? "");
    const options = { auth: gateway.auth, config: { redisUrl: redis.url } };
    both = await Promise.all([startGateway(options), startGateway(options)]);
  });
  afterAll(async () => {
    await Promise.all(both.map((each) => each.stop()));
    await redis.kill();
  });
  const askBoth = (target: string, headers: string[]): Promise<number[]> =>
    Promise.all(both.map((each) => told("traefik", "GET", target, headers, each)));

  test("a quota is counted once for both, and a signature is good at one of them", async () => {
    const client = await gateway.auth.createClient();
    const headers = [`Authorization: Bearer ${await gateway.token(client)}`];
    const statuses = [
      ...(await askBoth("/limited", headers)),
      ...(await askBoth("/limited", headers)),
    ];
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 200, 429, 429]);
    const answers = await askBoth("/time", await signed("GET", "/time"));
    expect(answers.toSorted((a, b) => a - b)).toEqual([200, 401]);
  });

  test("without it no signature is good, quotas are each gateway's own, and both say so", async () => {
    await redis.kill();
    const [first] = both;
    await expect.poll(() => first?.lines.some(({ event }) => event === "redis_lost")).toBe(true);
    expect(await askBoth("/time", await signed("GET", "/time"))).toEqual([503, 503]);
    const client = await gateway.auth.createClient();
    const headers = [`Authorization: Bearer ${await gateway.token(client)}`];
    expect(await askBoth("/limited", headers)).toEqual([200, 200]);
    expect(await askBoth("/limited", headers)).toEqual([200, 200]);
    expect(await askBoth("/limited", headers)).toEqual([429, 429]);
    const health = await fetch(`${first?.privateUrl}/readyz`);
    expect([health.status, await health.text()]).toEqual([200, expect.stringContaining("redis")]);
    await redis.restart();
    await expect.poll(() => first?.lines.some(({ event }) => event === "redis_back")).toBe(true);
    await expect.poll(async () => askBoth("/time", await signed("GET", "/time"))).toContain(200);
  });
});
