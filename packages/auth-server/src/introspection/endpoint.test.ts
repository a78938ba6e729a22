import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  API,
  ISSUER,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "../../test/auth-server.ts";
import { refreshTokenOf, rotate } from "../../test/refresh.ts";

const INACTIVE = '{"active":false}';

let server: TestAuthServer;
let owner: TestClient;
beforeAll(async () => {
  server = await startAuthServer();
  owner = await server.createClient({ scopes: ["introspect"], resources: [ISSUER] });
  await server.database.query("update daykey.resources set owner_client_id = $1 where uri = $2", [
    owner.clientId,
    API,
  ]);
  await server.look();
});
afterAll(() => server.stop());

const introspect = (by: TestClient, token: string) =>
  server.postAs(by, "/oauth2/introspect", { token });

async function tokensOf(client: TestClient): Promise<{ access: string; refresh: string }> {
  const answer = await server.clientCredentials(client);
  return { access: String(answer.body["access_token"]), refresh: refreshTokenOf(answer) };
}

describe("RFC 7662: an access token is active", () => {
  test("to its own client and to its resource's server, with its claims", async () => {
    const client = await server.createClient();
    const { access } = await tokensOf(client);
    for (const caller of [client, owner]) {
      const { status, headers, body } = await introspect(caller, access);
      expect([status, headers.get("cache-control")]).toEqual([200, "no-store"]);
      expect(body).toEqual({ active: true, token_type: "Bearer", ...decodeJwt(access) });
    }
  });

  test("to nobody else", async () => {
    const { access } = await tokensOf(await server.createClient());
    const stranger = await server.createClient();
    expect((await introspect(stranger, access)).text).toBe(INACTIVE);
  });

  test("no more once it has expired, its client is disabled, its epoch raised or its secret revoked", async () => {
    const changes = [
      "update daykey.clients set enabled = false where client_id = $1",
      "update daykey.clients set epoch = epoch + 1 where client_id = $1",
      "update daykey.clients set deleted_at = now() where client_id = $1",
      "update daykey.secrets set revoked_at = now() where client_id = $1",
    ];
    for (const change of changes) {
      const client = await server.createClient();
      const { access } = await tokensOf(client);
      expect((await introspect(owner, access)).body["active"]).toBe(true);
      await server.database.query(change, [client.clientId]);
      await server.look();
      expect([change, (await introspect(owner, access)).text]).toEqual([change, INACTIVE]);
    }
    const { access } = await tokensOf(await server.createClient());
    server.advance(600);
    expect((await introspect(owner, access)).text).toBe(INACTIVE);
  });
});

describe("a refresh token is active", () => {
  test("to its own client alone, until it is used", async () => {
    const client = await server.createClient();
    const { refresh } = await tokensOf(client);
    const { body } = await introspect(client, refresh);
    expect(body).toMatchObject({
      active: true,
      token_type: "refresh_token",
      client_id: client.clientId,
      iss: ISSUER,
      cred: client.kid,
    });
    expect((await introspect(owner, refresh)).text).toBe(INACTIVE);
    const successor = await rotate(server, client, refresh);
    expect((await introspect(client, refresh)).text).toBe(INACTIVE);
    expect((await introspect(client, successor)).body["active"]).toBe(true);
  });

  test("and asking changes nothing", async () => {
    const client = await server.createClient();
    const { refresh } = await tokensOf(client);
    await introspect(client, refresh);
    const rows = await server.database.query("select from daykey.grants where client_id = $1", [
      client.clientId,
    ]);
    expect(rows).toEqual([]);
  });
});

test("T10: garbage is inactive and never a 500", async () => {
  const client = await server.createClient();
  const { access, refresh } = await tokensOf(client);
  const hostile = [
    "x",
    "a.b.c",
    "..",
    "dkr1.",
    "eyJhbGciOiJub25lIn0.e30.",
    `${access}A`,
    access.slice(0, -1),
    access.replace(".", ".."),
    `${access.split(".").slice(0, 2).join(".")}.${"A".repeat(86)}`,
    `${refresh}=`,
    refresh.slice(0, -2),
    "\u{10FFFF}".repeat(100),
    "a".repeat(7000),
  ];
  for (const token of hostile) {
    const { status, text } = await introspect(client, token);
    expect([token, status, text]).toEqual([token, 200, INACTIVE]);
  }
});

test("C1: introspection wants client authentication, and a token", async () => {
  const client = await server.createClient();
  const { access } = await tokensOf(client);
  const { status, body } = await server.post("/oauth2/introspect", { token: access });
  expect([status, body["error"]]).toEqual([401, "invalid_client"]);
  expect((await introspect(client, "")).body["error"]).toBe("invalid_request");
});

describe("limits against strangers do not bind a resource's server", () => {
  const LIMIT = 10;
  let limited: TestAuthServer;
  beforeAll(async () => {
    limited = await startAuthServer({
      database: server.database,
      config: { requestsPerAddress: LIMIT },
    });
  });
  afterAll(() => limited.stop());

  const statusesOf = async (count: number, by: TestClient): Promise<number[]> => {
    const statuses: number[] = [];
    for (let i = 0; i < count; i++) {
      statuses.push((await limited.postAs(by, "/oauth2/introspect", { token: `no-${i}` })).status);
    }
    return statuses;
  };

  test("D2: it asks more often in a second than an address may; another client does not", async () => {
    let second = 0;
    vi.spyOn(performance, "now").mockImplementation(() => second * 1000);
    try {
      expect(new Set(await statusesOf(3 * LIMIT, owner))).toEqual(new Set([200]));
      second = 1;
      const stranger = await server.createClient();
      const statuses = await statusesOf(3 * LIMIT, stranger);
      expect(statuses.filter((status) => status === 429)).toHaveLength(2 * LIMIT);
    } finally {
      vi.restoreAllMocks();
    }
  });
});

test("a token of 8,192 characters can be asked about, with whatever proves the client", async () => {
  for (const length of [8009, 8010, 8192, 8193]) {
    for (const head of ["dka1.k3f9a1c2.", "e30.e30."]) {
      const { status, text } = await introspect(owner, head.padEnd(length, "A"));
      expect([length, status, text]).toEqual([length, 200, INACTIVE]);
    }
  }
});
