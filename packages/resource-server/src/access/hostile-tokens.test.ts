/** The table of hostile JWTs over HTTP at the resource server: each is refused, and none crashes. */
import { isBearerToken } from "@daykey/common/bearer";
import { hostileJwts } from "@daykey/service/test/hostile-jwts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startResourceServer, type TestResourceServer } from "../../test/resource-server.ts";

let api: TestResourceServer;
beforeAll(async () => {
  api = await startResourceServer();
});
afterAll(() => api.stop());

const AT_ONCE = 8;

test(
  "RFC 6750 §3.1, RFC 8725 §3: a hostile JWT is no credential",
  { timeout: 60_000 },
  async () => {
    const { privateKey, publicKey } = api.key;
    const hostile = hostileJwts({
      header: api.header(),
      claims: api.claims(),
      privateKey,
      publicKey,
    });
    const told: Record<string, string> = {};
    const rest = Object.entries(hostile);
    const askNext = async (): Promise<void> => {
      for (let next = rest.pop(); next; next = rest.pop()) {
        const [name, text] = next;
        told[name] = await api.time(text).then(
          ({ status, headers }) =>
            `${status} ${/error="(\w+)"/.exec(headers["www-authenticate"] ?? "")?.[1]}`,
          () => "not sent",
        );
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, askNext));
    const expected = (text: string): string => {
      const token = text.trim();
      // No client can put these into a header.
      if (/[\0\n]/.test(token)) return "not sent";
      if (!isBearerToken(token)) return "400 invalid_request";
      // Spaces around a token are none of it (RFC 9110 §5.5, §11.4).
      return token === text ? "401 invalid_token" : "200 undefined";
    };
    const entries = Object.entries(hostile).map(([name, text]) => [name, expected(text)]);
    expect(told).toEqual(Object.fromEntries(entries));
    expect((await api.time(api.token())).status).toBe(200);
  },
);

test("a token of 1 MB is refused before it is read", async () => {
  expect((await api.time(api.token({ claims: { x: "x".repeat(1_000_000) } }))).status).toBe(431);
  expect((await api.time(api.token())).status).toBe(200);
});
