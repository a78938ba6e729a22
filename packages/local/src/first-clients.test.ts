/** The clients of a set-up, whatever operators do to them. */
import { rm } from "node:fs/promises";
import { API } from "@daykey/auth-server/test/auth-server";
import { describe, expect, test } from "vitest";
import { asAdmin, authServer, logIn, open, pathOf, read, setUp, useSetUp } from "../test/set-up.ts";

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
  const clients = open("https://new.example.test");
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
