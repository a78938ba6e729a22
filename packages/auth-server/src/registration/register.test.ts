/** Registering clients and secrets: what an operator may wish for. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createDatabase, type Database } from "@daykey/service/database/database";
import { createTestLog } from "@daykey/service/test/log";
import {
  API,
  ISSUER,
  OTHER_API,
  startAuthServer,
  type TestAuthServer,
} from "../../test/auth-server.ts";
import { createResourcesStore } from "../resources/resources-store.ts";
import type { ClientRegistration } from "../clients/client.ts";
import { createClientsStore } from "../clients/clients-store.ts";
import { type ClientRegistrar, createClientRegistrar } from "./register.ts";
import { createSecretMaker } from "./secrets.ts";

const LIMITS = { accessTokenMaxSeconds: 3600, refreshAbsoluteMaxSeconds: 86_400 };

let server: TestAuthServer;
let database: Database;
let registrar: ClientRegistrar;
beforeAll(async () => {
  server = await startAuthServer();
  database = createDatabase({
    connectionString: server.database.appUrl,
    log: createTestLog().log,
  });
  registrar = createClientRegistrar({
    clients: createClientsStore(database, { issuer: ISSUER, longestGrantSeconds: 0 }),
    resources: createResourcesStore(database, ISSUER),
    secrets: createSecretMaker(),
    clock: server.now,
    limits: LIMITS,
  });
});
afterAll(async () => {
  await database.close();
  await server.stop();
});

let registration: ClientRegistration;
let count = 0;
beforeEach(() => {
  registration = {
    clientId: `registered-${++count}`,
    name: "a client",
    authMethods: ["client_secret_hash_day"],
    grantTypes: ["client_credentials"],
    scopes: ["time:read"],
    resources: [API],
  };
});

const GENERATED = { kind: "generated" } as const;

async function exists(clientId: string): Promise<boolean> {
  const rows = await server.database.query("select from daykey.clients where client_id = $1", [
    clientId,
  ]);
  return rows.length > 0;
}

const long = (length: number): string => "x".repeat(length);

describe("a registration", () => {
  test.each<[string, Partial<ClientRegistration>]>([
    ["an empty id", { clientId: "" }],
    ["an id of 65 characters", { clientId: long(65) }],
    ["an id that begins with a dash", { clientId: "-client" }],
    ["an id with a space", { clientId: "a client" }],
    ["an id with a colon, which Basic cannot carry", { clientId: "a:b" }],
    ["an id with a line feed at its end", { clientId: "client\n" }],
    ["an id with a letter outside ASCII", { clientId: "clïent" }],
    ["an empty name", { name: "" }],
    ["a name of 201 characters", { name: long(201) }],
    ["a name with a control character", { name: "a\u001b[31mclient" }],
    ["no method", { authMethods: [] }],
    ["an unknown method", { authMethods: ["none" as "client_secret_basic"] }],
    ["a method twice", { authMethods: ["client_secret_post", "client_secret_post"] }],
    ["no grant type", { grantTypes: [] }],
    ["an unknown grant type", { grantTypes: ["password" as "client_credentials"] }],
    ["a scope that is no token", { scopes: ["time read"] }],
    ["a scope none of its resources has", { scopes: ["other:write"] }],
    ["no scope", { scopes: [] }],
    ["a scope twice", { scopes: ["time:read", "time:read"] }],
    ["no resource", { resources: [] }],
    ["an unknown resource", { resources: [API, "https://unknown.example.test"] }],
    ["a resource twice", { resources: [API, API] }],
    ["the name of the issuer's row", { resources: ["urn:daykey:issuer"] }],
    ["an access token's life above the limit", { accessTokenSeconds: 3601 }],
    ["an access token's life of 9 s", { accessTokenSeconds: 9 }],
    ["half seconds", { accessTokenSeconds: 10.5 }],
    ["an idle life above the limit", { refreshIdleSeconds: 86_401 }],
    ["an absolute life above the limit", { refreshAbsoluteSeconds: 86_401 }],
    ["no number for a life", { refreshAbsoluteSeconds: Number.NaN }],
  ])("with %s is refused, and nothing is written", async (_name, part) => {
    const wish = { ...registration, ...part };
    await expect(registrar.create(wish, GENERATED)).rejects.toMatchObject({
      status: 400,
      code: "invalid-registration",
    });
    expect(await exists(wish.clientId)).toBe(false);
  });

  test("at every limit is accepted", async () => {
    const wish: ClientRegistration = {
      clientId: `A${"~._-".repeat(15)}${count}`.slice(0, 64),
      name: "é".repeat(200),
      authMethods: ["client_secret_hash_once", "client_secret_basic"],
      grantTypes: ["refresh_token", "client_credentials"],
      scopes: ["other:write", "time:read"],
      resources: [OTHER_API, API, ISSUER],
      accessTokenSeconds: 3600,
      refreshIdleSeconds: 10,
      refreshAbsoluteSeconds: 86_400,
    };
    const issued = await registrar.create(wish, { kind: "generated", days: 400 });
    expect(issued).toEqual({
      clientId: wish.clientId,
      kid: expect.stringMatching(/^[a-z0-9]{8}$/),
      salt: expect.stringMatching(/^[0-9a-f]{32}$/),
      clientSecret: expect.stringMatching(/^dks_/),
      expiresAt: expect.closeTo(server.now() + 400 * 86_400, -2),
    });
  });

  test("of an id in use, or that was in use, is 409: ids are never used again", async () => {
    await registrar.create(registration, GENERATED);
    const conflict = { status: 409, code: "client-exists" };
    await expect(registrar.create(registration, GENERATED)).rejects.toMatchObject(conflict);
    await server.database.query(
      "update daykey.clients set deleted_at = now() where client_id = $1",
      [registration.clientId],
    );
    await expect(registrar.create(registration, GENERATED)).rejects.toMatchObject(conflict);
  });

  test("of one id by ten at once succeeds once", async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, () => registrar.create(registration, GENERATED)),
    );
    expect(outcomes.filter(({ status }) => status === "fulfilled").length).toBe(1);
  });

  test("is undone when what comes before its commit fails", async () => {
    const failing = (): Promise<never> => Promise.reject(new Error("canary"));
    await expect(registrar.create(registration, GENERATED, failing)).rejects.toThrow("canary");
    expect(await exists(registration.clientId)).toBe(false);
  });

  test("with a bad secret writes nothing", async () => {
    const secret = { kind: "chosen", secret: "too short" } as const;
    await expect(registrar.create(registration, secret)).rejects.toMatchObject({ status: 400 });
    expect(await exists(registration.clientId)).toBe(false);
  });
});

describe("C13: secrets of a client", () => {
  const FULL = { status: 409, code: "two-live-secrets" };

  test("two may live; a third is 409, until one is revoked or has expired", async () => {
    const { clientId, kid } = await registrar.create(registration, GENERATED);
    const second = await registrar.addSecret(clientId, GENERATED);
    await expect(registrar.addSecret(clientId, GENERATED)).rejects.toMatchObject(FULL);
    await server.database.query("update daykey.secrets set revoked_at = now() where kid = $1", [
      kid,
    ]);
    await registrar.addSecret(clientId, GENERATED);
    await expect(registrar.addSecret(clientId, GENERATED)).rejects.toMatchObject(FULL);
    await server.database.query(
      "update daykey.secrets set expires_at = now() - interval '1 s' where kid = $1",
      [second.kid],
    );
    await registrar.addSecret(clientId, GENERATED);
    await expect(registrar.addSecret(clientId, GENERATED)).rejects.toMatchObject(FULL);
  });

  test("of ten added at once one is", async () => {
    const { clientId } = await registrar.create(registration, GENERATED);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, () => registrar.addSecret(clientId, GENERATED)),
    );
    const reasons = outcomes.flatMap((outcome) =>
      outcome.status === "rejected" ? [(outcome.reason as { code: string }).code] : [],
    );
    expect(reasons).toEqual(Array(9).fill(FULL.code));
  });

  test("both log in, by every form", async () => {
    const first = await server.createClient();
    const second = { ...first, ...(await server.addSecret(first.clientId)) };
    const { clientId: client_id } = first;
    const statuses = [];
    for (const client of [first, second]) {
      for (const form of [
        { client_secret_hash: await server.dayForm(client) },
        { client_secret_hash: await server.oneTime(client) },
        { client_secret: client.clientSecret },
      ]) {
        const request = { grant_type: "client_credentials", client_id };
        statuses.push((await server.token({ ...request, ...form })).status);
      }
    }
    expect(statuses).toEqual(Array(6).fill(200));
  });

  test("of an unknown or deleted client are 404", async () => {
    const unknown = { status: 404, code: "unknown-client" };
    await expect(registrar.addSecret("nobody", GENERATED)).rejects.toMatchObject(unknown);
    const { clientId } = await registrar.create(registration, GENERATED);
    await server.database.query(
      "update daykey.clients set deleted_at = now() where client_id = $1",
      [clientId],
    );
    await expect(registrar.addSecret(clientId, GENERATED)).rejects.toMatchObject(unknown);
  });
});
