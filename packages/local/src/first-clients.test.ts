/** The clients of a set-up, whatever operators do to them. */
import { rm } from "node:fs/promises";
import { createTestAdmin } from "@daykey/auth-server/test/admin";
import { API, ISSUER } from "@daykey/auth-server/test/auth-server";
import { describe, expect, test } from "vitest";
import {
  asAdmin,
  authServer,
  endIn,
  kidsOf,
  logIn,
  NAMES,
  open,
  pathOf,
  read,
  setUp,
  useSetUp,
} from "../test/set-up.ts";

useSetUp();

describe("a client that was deleted", () => {
  test("has a successor with the next id that nobody had", async () => {
    await setUp();
    expect(await asAdmin("DELETE", "/clients/demo")).toBe(204);
    const { demo } = await setUp();
    expect(demo).toMatchObject({ credential: { client_id: "demo-2" }, fault: undefined });
    expect(await logIn(demo.credential)).toBe(200);
    expect((await setUp()).demo).toEqual(demo);
    expect(await asAdmin("DELETE", "/clients/demo-2")).toBe(204);
    await authServer().createClient({ clientId: "demo-3" });
    const { demo: third } = await setUp();
    expect(third.credential.client_id).toBe("demo-4");
    expect(await logIn(third.credential)).toBe(200);
  });

  test("and its file too", async () => {
    await setUp();
    expect(await asAdmin("DELETE", "/clients/demo")).toBe(204);
    await rm(pathOf("demo"));
    const { demo } = await setUp();
    expect(demo.credential.client_id).toBe("demo-2");
    expect(await logIn(demo.credential)).toBe(200);
  });

  test("gives the resource it owned to its successor", async () => {
    const owner = async (): Promise<unknown> =>
      (
        await authServer().database.query<{ owner_client_id: string }>(
          "select owner_client_id from daykey.resources where uri = $1",
          [API],
        )
      )[0]?.owner_client_id;
    await setUp();
    expect(await owner()).toBe("resource-server");
    expect(await asAdmin("DELETE", "/clients/resource-server")).toBe(204);
    const { server: next } = await setUp();
    expect(next).toMatchObject({
      credential: { client_id: "resource-server-2" },
      fault: undefined,
    });
    expect(await logIn(next.credential)).toBe(200);
    expect(await owner()).toBe("resource-server-2");

    const { clientId } = await authServer().createClient();
    await authServer().database.query(
      "update daykey.resources set owner_client_id = $1 where uri = $2",
      [clientId, API],
    );
    await setUp();
    expect(await owner()).toBe(clientId);
  });
});

describe("the audit log has what a set-up does", () => {
  const facts = async (): Promise<string[]> =>
    (
      await authServer().database.query<{ action: string; target: string; detail: object }>(
        "select action, target, detail from daykey.audit_log where actor = '(set-up)' order by seq",
      )
    ).map(({ action, target, detail }) => {
      expect(JSON.stringify(detail)).not.toContain("dks_");
      return `${action} ${target}`;
    });
  const verdict = async () =>
    (await (await createTestAdmin(authServer())).get("/audit/verify")).body;

  test("clients, the resource, an owner, addresses, secrets and their ends, in one whole chain", async () => {
    await setUp();
    const first = [
      "client.create admin",
      "client.create resource-server",
      "resource.change https://api.example.test",
      "client.create demo",
    ];
    expect(await facts()).toEqual(first);
    expect((await setUp()).renewed).toEqual([]);
    expect(await facts()).toEqual(first);

    const [before = ""] = await kidsOf("demo");
    await endIn("30 days");
    await setUp();
    const [, second = ""] = await kidsOf("demo");
    expect((await facts()).slice(-1)).toEqual([`secret.add demo ${second}`]);
    expect((await facts()).length).toBe(first.length + 3);
    await endIn("29 days");
    await setUp();
    const third = (await kidsOf("demo")).find((kid) => kid !== second) ?? "";
    expect((await facts()).slice(-2)).toEqual([
      `secret.revoke demo ${before}`,
      `secret.add demo ${third}`,
    ]);

    await authServer().database.query(
      "update daykey.clients set resources = '{urn:daykey:issuer}' where client_id = 'demo'",
    );
    await setUp();
    expect((await facts()).slice(-1)).toEqual(["client.change demo"]);
    expect(await verdict()).toMatchObject({ valid: true });
  });

  test("past what damaged it: that keeps no secret from being renewed", async () => {
    await setUp();
    await authServer().database.query("delete from daykey.audit_head");
    await endIn("30 days");
    expect((await setUp()).renewed).toEqual(NAMES);
    for (const name of NAMES) expect(await logIn(await read(name))).toBe(200);
    expect(await verdict()).toMatchObject({ valid: false, reason: "head" });
  });

  test("with the server's master key alone: another one is refused, and nothing is done", async () => {
    await expect(
      open(ISSUER, "4f".repeat(8) + "91c3a7e05b2d68f4a1907e3cb5d28f06a4c9e17b3f50d826"),
    ).rejects.toThrow("MASTER_KEY is not the key");
    expect(await facts()).toEqual([]);
  });
});

describe("what an operator took stays taken, and is said with its remedy", () => {
  test.each([
    ["enabled = false", "is disabled: daykey clients enable"],
    [
      "scopes = '{x}'",
      /lost the scope [\w:]+ and [\w:]+: daykey clients update \S+ --help, --scope/,
    ],
    [
      "auth_methods = '{private_key_jwt}'",
      /lost the way to prove itself client_secret_hash_\w+: daykey clients update \S+ --help, --form/,
    ],
    [
      "grant_types = '{refresh_token}'",
      /lost the grant type client_credentials: daykey clients update/,
    ],
  ])("%s", async (change, words) => {
    await setUp();
    await authServer().database.query(
      `update daykey.clients set ${change} where client_id <> 'admin'`,
    );
    for (const { credential, fault } of [(await setUp()).server, (await setUp()).demo]) {
      expect(fault).toMatch(words);
      expect(fault).toContain(`The client ${credential.client_id} `);
    }
  });

  test("what is not needed here may go", async () => {
    await setUp();
    await authServer().database.query(
      "update daykey.clients set auth_methods = '{client_secret_hash_day}' where client_id = 'demo'",
    );
    expect((await setUp()).demo.fault).toBeUndefined();
  });
});

test("where it is reached may change, and the secrets stay", async () => {
  await setUp();
  const before = await read("admin");
  const clients = await open("https://new.example.test");
  await clients.ensureAdmin(pathOf("admin"), "http://127.0.0.1:4001");
  expect(clients.renewed).toEqual([]);
  expect(await read("admin")).toEqual({
    ...before,
    issuer: "https://new.example.test",
    token_endpoint: "https://new.example.test/oauth2/token",
    resource: "https://new.example.test",
    admin_url: "http://127.0.0.1:4001",
  });
});
