/** Secrets that another server made, and that its clients go on with. */
import { argon2Sync } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestAdmin, NEW_CLIENT, type TestAdmin } from "../../test/admin.ts";
import { startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";

let server: TestAuthServer;
let admin: TestAdmin;
beforeAll(async () => {
  server = await startAuthServer();
  admin = await createTestAdmin(server);
});
afterAll(() => server.stop());

test("the root of a chosen secret is no secret, though its length and alphabet are those of an imported one", async () => {
  const secret = "correct horse battery staple";
  const auth_methods = ["client_secret_basic", "client_secret_hash_once"];
  const { body } = await admin.create({ auth_methods, secret: { kind: "chosen", secret } });
  const cost = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 };
  const nonce = Buffer.from(body.secret.salt, "ascii");
  const root = argon2Sync("argon2id", { message: secret, nonce, ...cost }).toString("hex");
  const basic = Buffer.from(`${body.client.client_id}:${root}`).toString("base64");
  const response = await fetch(`${server.url}/oauth2/token`, {
    method: "POST",
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({ grant_type: "client_credentials" }),
  });
  expect([response.status, await response.json()]).toMatchObject([
    401,
    { error: "invalid_client" },
  ]);
});

describe("a secret that another server made", () => {
  const IMPORTED = "uY8Qm2Zp4Rk7Tn1Vx9Bc3Df6Gh5Jl0Aa";
  const auth_methods = ["client_secret_basic", "client_secret_post"];

  test("works by Basic and by post as it is, beside another, until its end, and is told nowhere", async () => {
    const made = await admin.create({ auth_methods, secret: null });
    const { client_id: id } = made.body.client;
    const path = `/clients/${id}/secrets`;
    const added = await admin.post(path, { kind: "imported", secret: IMPORTED, days: 30 });
    expect([added.status, added.text.includes(IMPORTED)]).toEqual([201, false]);
    const { body, text } = await admin.get(path);
    expect(body.items).toMatchObject([{ kind: "imported", live: true }]);
    expect(text).not.toContain(IMPORTED);
    const ask = async (secret: string, isPost: boolean): Promise<number> => {
      const form = {
        grant_type: "client_credentials",
        ...(isPost && { client_id: id, client_secret: secret }),
      };
      const basic = `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`;
      const response = await fetch(`${server.url}/oauth2/token`, {
        method: "POST",
        headers: isPost ? {} : { authorization: basic },
        body: new URLSearchParams(form),
      });
      await response.text();
      return response.status;
    };
    expect([await ask(IMPORTED, false), await ask(IMPORTED, true)]).toEqual([200, 200]);
    expect([await ask(`${IMPORTED}x`, false), await ask(`${IMPORTED}x`, true)]).toEqual([401, 401]);
    await admin.post(`${path}/${added.body.kid}/revoke`);
    expect(await ask(IMPORTED, false)).toBe(401);
    expect(JSON.stringify(await admin.audit())).not.toContain(IMPORTED);
  });

  test.each([
    ["short", "a1B2c3D4e5F6g7H8i9J0k1L"],
    ["of digits alone", "31415926535897932384626433832795"],
    ["of few hexadecimal digits", "0123456789abcdef01234567"],
    ["one character again and again", "a".repeat(64)],
    ["with a space", "uY8Qm2Zp4Rk7Tn1Vx9Bc3Df6 Gh5Jl0Aa"],
    ["of this server's form", `dks_abcdefgh_${"A1b2C3d4".repeat(6).slice(0, 43)}_abcdef`],
    ["longer than any", "uY8Qm2Zp".repeat(17)],
  ])("%s is refused", async (_, secret) => {
    const refused = await admin.post("/clients", {
      ...NEW_CLIENT,
      auth_methods,
      secret: { kind: "imported", secret },
    });
    expect([refused.status, refused.body.type]).toEqual([400, "urn:daykey:problem:invalid-secret"]);
    expect(refused.text).not.toContain(secret);
  });

  test.each([
    ["Keycloak's 32 characters", "Ds7fG2kP9qLm4XzR1tYw8VbN3cHj6Ka0"],
    ["Keycloak's UUID of before", "f47ac10b-58cc-4372-a567-0e02b2c3d479"],
    ["Hydra's 26 characters", "k3.~Tz_9-QmXb2LwRd7YhVn4Fc"],
    ["Auth0's 64 characters", "aB3_dE6-gH9jK2mN5pQ8sT1vW4xY7zA0cD3fG6hJ9kL2nP5qS8tV1wX4yZ7bC0eF"],
  ])("%s are taken", async (_, secret) => {
    const made = await admin.create({ auth_methods, secret: { kind: "imported", secret } });
    expect(made.body.secret).not.toHaveProperty("client_secret");
  });
});
