/** Which web pages may ask for tokens, as a browser asks; and that asking is all that OPTIONS does (V12). */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startAuthServer, type TestAuthServer, type TestClient } from "../../test/auth-server.ts";

const PAGE = "https://api.example.test";
const OTHERS = [
  "https://evil.example",
  "https://api.example.test.evil.example",
  "http://api.example.test",
  "https://api.example.test:444",
  "https://API.example.test",
  "https://api.example.test/",
  "null",
  "*",
];

let server: TestAuthServer;
let without: TestAuthServer;
let client: TestClient;
beforeAll(async () => {
  server = await startAuthServer({
    config: { corsOrigins: ["https://first.example", PAGE], badCredentialsPerMinute: 3 },
  });
  without = await startAuthServer({ database: server.database });
  client = await server.createClient({ grantTypes: ["client_credentials"] });
});
afterAll(async () => {
  await without.stop();
  await server.stop();
});

interface Seen {
  status: number;
  cors: Record<string, string>;
  vary: string | null;
  text: string;
}

async function send(
  method: string,
  headers: Record<string, string>,
  {
    path = "/oauth2/token",
    form,
    of = server,
  }: { path?: string; form?: Record<string, string>; of?: TestAuthServer } = {},
): Promise<Seen> {
  const body = form && new URLSearchParams(form);
  const response = await fetch(of.url + path, { method, headers, ...(body && { body }) });
  const cors = [...response.headers].filter(([name]) => name.startsWith("access-control-"));
  const vary = response.headers.get("vary");
  return {
    status: response.status,
    cors: Object.fromEntries(cors),
    vary,
    text: await response.text(),
  };
}

const preflight = (origin: string): Record<string, string> => ({
  Origin: origin,
  "Access-Control-Request-Method": "POST",
  "Access-Control-Request-Headers": "authorization,x-requested-with",
});

/** A right token request. */
const asked = (): Promise<Record<string, string>> =>
  server.dayForm(client).then((client_secret_hash) => ({
    grant_type: "client_credentials",
    client_id: client.clientId,
    client_secret_hash,
  }));

test("a preflight of a listed page is told what its script may send", async () => {
  expect(await send("OPTIONS", preflight(PAGE))).toEqual({
    status: 204,
    cors: {
      "access-control-allow-origin": PAGE,
      "access-control-allow-methods": "POST",
      "access-control-allow-headers": "authorization, content-type, dpop, x-requested-with",
      "access-control-max-age": "600",
    },
    vary: "Origin",
    text: "",
  });
});

test("its script may read the token, and why there is none", async () => {
  const cors = {
    "access-control-allow-origin": PAGE,
    "access-control-expose-headers":
      "DPoP-Nonce, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id",
  };
  const headers = { Origin: PAGE };
  const issued = await send("POST", headers, { form: await asked() });
  expect(issued).toMatchObject({ status: 200, cors, vary: "Origin" });
  const guess = { ...(await asked()), client_id: "cors-guesser" };
  const statuses = [];
  for (let i = 0; i < 4; i++) {
    const refused = await send("POST", headers, { form: guess });
    expect(refused).toMatchObject({ cors, vary: "Origin" });
    statuses.push(refused.status);
  }
  expect(statuses).toEqual([401, 401, 401, 429]);
  expect(await send("POST", headers)).toMatchObject({ status: 415, cors });
});

test.each(OTHERS)(
  "a page of %s is told nothing; cookies or * are never allowed",
  async (origin) => {
    expect(await send("OPTIONS", preflight(origin))).toEqual({
      status: 204,
      cors: {},
      vary: "Origin",
      text: "",
    });
    const issued = await send("POST", { Origin: origin }, { form: await asked() });
    expect(issued).toMatchObject({ status: 200, cors: {}, vary: "Origin" });
  },
);

describe("V12: OPTIONS does nothing else", () => {
  test.each([{}, { Origin: PAGE }, { "Access-Control-Request-Method": "POST" }])(
    "what is no preflight is 405: %j",
    async (headers) => {
      const { status, cors } = await send("OPTIONS", headers);
      expect([status, cors]).toEqual([405, {}]);
    },
  );

  test.each(["/oauth2/revoke", "/oauth2/introspect", "/tokens", "/revocations"])(
    "no page is told anything of %s",
    async (path) => {
      expect(await send("OPTIONS", preflight(PAGE), { path })).toMatchObject({
        status: 405,
        cors: {},
      });
      expect((await send("POST", { Origin: PAGE }, { path })).cors).toEqual({});
    },
  );

  test("without CORS_ORIGINS there is no such answer", async () => {
    const of = without;
    expect(await send("OPTIONS", preflight(PAGE), { of })).toMatchObject({
      status: 405,
      cors: {},
      vary: null,
    });
    expect(await send("POST", { Origin: PAGE }, { of, form: await asked() })).toMatchObject({
      status: 200,
      cors: {},
      vary: null,
    });
  });
});
