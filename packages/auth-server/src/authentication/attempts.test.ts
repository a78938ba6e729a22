/** Limits on bad credentials (C14), as one who guesses and one who does not see them. */
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";
import { createAttempts } from "./attempts.ts";

const FAILURES = 3;
const PROXY = "192.0.2.1";
const SLOW_DOWN = {
  error: "slow_down",
  error_description: "Too many failed attempts. Try again later.",
};

let server: TestAuthServer;
let proxied: TestAuthServer;
beforeAll(async () => {
  const config = { badCredentialsPerMinute: FAILURES };
  server = await startAuthServer({ config });
  proxied = await startAuthServer({
    config: { ...config, trustedProxies: ["127.0.0.1"] },
    database: server.database,
  });
});
afterAll(async () => {
  await proxied.stop();
  await server.stop();
});

function guess(of: TestAuthServer, client_id: string, from?: string): Promise<Answer> {
  const form = { grant_type: "client_credentials", client_id, client_secret_hash: "0".repeat(64) };
  return of.token(form, from === undefined ? {} : { "X-Forwarded-For": from });
}

async function guesses(of: TestAuthServer, client_id: string, from?: string): Promise<number[]> {
  const statuses = [];
  for (let i = 0; i <= FAILURES; i++) statuses.push((await guess(of, client_id, from)).status);
  return statuses;
}

/** A token by the day form from another address of this machine. */
async function tokenFrom(localAddress: string, form: Record<string, string>): Promise<object> {
  const body = new URLSearchParams(form).toString();
  const headers = { "Content-Type": "application/x-www-form-urlencoded" };
  const url = `${server.url}/oauth2/token`;
  return new Promise((resolve, reject) => {
    const req = request(url, { method: "POST", headers, localAddress, agent: false });
    req.on("error", reject).on("response", (res) => {
      text(res).then((content) => {
        resolve({ status: res.statusCode, body: JSON.parse(content) });
      }, reject);
    });
    req.end(body);
  });
}

describe("C14: bad credentials are limited", () => {
  test(`after ${FAILURES} failures the answer is 429 with Retry-After, for any id alike`, async () => {
    const client = await server.createClient();
    const answers = [];
    for (const id of [client.clientId, "nobody", "-an id that cannot be"]) {
      expect(await guesses(server, id)).toEqual([401, 401, 401, 429]);
      const { status, headers, body } = await guess(server, id);
      const seconds = Number(headers.get("retry-after"));
      expect(seconds).toBeGreaterThanOrEqual(1);
      expect(seconds).toBeLessThanOrEqual(60);
      const rest = [...headers].filter(
        ([name]) => !["date", "x-request-id", "retry-after"].includes(name),
      );
      answers.push({ status, rest, body });
    }
    const usual = answers[0];
    expect(usual).toMatchObject({ status: 429, body: SLOW_DOWN });
    expect(answers).toEqual([usual, usual, usual]);
  });

  test("a right credential waits like a wrong one: the limiter answers before anything is hashed", async () => {
    const client = await server.createClient();
    expect(await guesses(server, client.clientId)).toEqual([401, 401, 401, 429]);
    const { status, headers, body } = await server.clientCredentials(client);
    expect({ status, body }).toEqual({ status: 429, body: SLOW_DOWN });
    const line = server.lines.find((item) => item["requestId"] === headers.get("x-request-id"));
    expect(line).toMatchObject({ reason: "too_many_failures", address: "127.0.0.1" });
  });

  test("in Basic too, without a challenge", async () => {
    const authorization = `Basic ${Buffer.from("basic-guesser:x").toString("base64")}`;
    const answers = [];
    for (let i = 0; i <= FAILURES; i++) {
      answers.push(await server.token({ grant_type: "client_credentials" }, { authorization }));
    }
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 429]);
    expect(answers.at(-1)?.headers.get("www-authenticate")).toBeNull();
  });

  test("a stranger locks nobody out: the client is served at another address", async () => {
    const client = await server.createClient();
    expect(await guesses(server, client.clientId)).toEqual([401, 401, 401, 429]);
    const client_secret_hash = await server.dayForm(client);
    const form = { grant_type: "client_credentials", client_id: client.clientId };
    expect(await tokenFrom("127.0.0.2", { ...form, client_secret_hash })).toMatchObject({
      status: 200,
      body: { token_type: "Bearer" },
    });
  });

  test("other clients at the same address are served", async () => {
    const client = await server.createClient();
    expect(await guesses(server, "another-guesser")).toEqual([401, 401, 401, 429]);
    expect((await server.clientCredentials(client)).status).toBe(200);
  });

  test("guesses that come at once are no more than those that come one after another", async () => {
    for (const id of [(await server.createClient()).clientId, "nobody-at-once"]) {
      const answers = await Promise.all(Array.from({ length: 80 }, () => guess(server, id)));
      const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
      expect(statuses).toEqual([...Array(FAILURES).fill(401), ...Array(80 - FAILURES).fill(429)]);
    }
  });

  test("right credentials that come at once are all served, beside guesses within the limit", async () => {
    const client = await server.createClient();
    const client_secret_hash = await server.dayForm(client);
    const form = { grant_type: "client_credentials", client_id: client.clientId };
    const right = Array.from({ length: 80 }, () => server.token({ ...form, client_secret_hash }));
    const wrong = Array.from({ length: FAILURES - 1 }, () => guess(server, client.clientId));
    expect(new Set((await Promise.all(right)).map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set((await Promise.all(wrong)).map(({ status }) => status))).toEqual(new Set([401]));
  });

  test("only failures count", async () => {
    const client = await server.createClient();
    const statuses = [];
    for (let i = 0; i < 2 * FAILURES; i++) {
      statuses.push((await server.clientCredentials(client)).status);
      // An hour ago may have been yesterday, of which a new secret has no verifier.
      const early = await server.oneTime(client, server.now() + 3600);
      const form = { grant_type: "client_credentials", client_id: client.clientId };
      statuses.push((await server.token({ ...form, client_secret_hash: early })).status);
      statuses.push((await server.clientCredentials(client, { scope: "unknown" })).status);
    }
    expect(new Set(statuses)).toEqual(new Set([200, 401, 400]));
    expect((await server.clientCredentials(client)).status).toBe(200);
  });

  test("a hash used again counts", async () => {
    const client = await server.createClient();
    const client_secret_hash = await server.oneTime(client);
    const form = { grant_type: "client_credentials", client_id: client.clientId };
    const statuses = [];
    for (let i = 0; i <= FAILURES + 1; i++) {
      statuses.push((await server.token({ ...form, client_secret_hash })).status);
    }
    expect(statuses).toEqual([200, 401, 401, 401, 429]);
  });

  test("ids that no client can have are counted as one", async () => {
    const statuses = [];
    for (let i = 0; i <= FAILURES; i++) {
      const { status } = await guess(proxied, "x".repeat(65 + i), "192.0.2.77");
      statuses.push(status);
    }
    expect(statuses).toEqual([401, 401, 401, 429]);
  });
});

describe("C14: which address counts (H3)", () => {
  test("behind a trusted proxy, the one it names", async () => {
    const id = "proxied-guesser";
    expect(await guesses(proxied, id, "198.51.100.1")).toEqual([401, 401, 401, 429]);
    expect((await guess(proxied, id, "198.51.100.2")).status).toBe(401);
  });

  test("what the caller itself put before that does not", async () => {
    const id = "forging-guesser";
    expect(await guesses(proxied, id, `203.0.113.1, ${PROXY}`)).toEqual([401, 401, 401, 429]);
    expect((await guess(proxied, id, `203.0.113.2, ${PROXY}`)).status).toBe(429);
  });

  test("without a trusted proxy the header is nothing", async () => {
    const statuses = [];
    for (let i = 0; i <= FAILURES; i++) {
      statuses.push((await guess(server, "header-guesser", `198.51.100.${i}`)).status);
    }
    expect(statuses).toEqual([401, 401, 401, 429]);
  });

  test("the addresses of one IPv6 /64 count together, those of another do not", async () => {
    const id = "v6-guesser";
    const statuses = [];
    for (let i = 0; i <= FAILURES; i++) {
      statuses.push((await guess(proxied, id, `2001:db8:1:1::${i + 1}`)).status);
    }
    expect(statuses).toEqual([401, 401, 401, 429]);
    expect((await guess(proxied, id, "2001:db8:1:2::1")).status).toBe(401);
  });
});

describe("the window", () => {
  test("begins with the first failure, is not lengthened by later ones, and ends", () => {
    let now = 1000;
    const attempts = createAttempts({ failures: 2, windowSeconds: 60, elapsed: () => now });
    const begin = () => attempts.begin("client", "address");
    begin().failed();
    now += 40;
    begin().failed();
    now += 10.5;
    expect(begin).toThrow(
      expect.objectContaining({ code: "slow_down", status: 429, headers: { "Retry-After": "10" } }),
    );
    now += 9.5;
    expect(begin).not.toThrow();
  });

  test("of those that are checked at once no more are told what they are than may fail", () => {
    const attempts = createAttempts({ failures: 3, windowSeconds: 60 });
    const [right, ...wrong] = Array.from({ length: 10 }, () => attempts.begin("client", "address"));
    const told = wrong.filter((attempt) => {
      try {
        attempt.failed();
        return true;
      } catch {
        return false;
      }
    });
    expect(told).toHaveLength(3);
    expect(right?.passed).toThrow(expect.objectContaining({ code: "slow_down" }));
  });
});
