/** What each method sends, and what is no credential. The two forms of the hash: secret-hash-vectors.test.ts. */
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { client } from "../test/demo.ts";
import { clientSecretBasic } from "./client-secret-basic.ts";
import { clientSecretPost } from "./client-secret-post.ts";
import type { ClientCredential, Proof } from "./credential.ts";
import { dayForm } from "./day-form.ts";
import { DaykeyError } from "./errors.ts";
import { oneTimeForm } from "./one-time-form.ts";
import type { SecretMaterial } from "./secret-material.ts";
import { tlsClientAuth } from "./tls-client-auth.ts";

const { client_id: clientId, client_secret: secret, salt, issuer, kid } = client;
const prove = (credential: ClientCredential): Promise<Proof> =>
  credential.prove({ issuer, now: 1_795_262_400 });

test("Basic is id and secret with a colon between (RFC 6749 §2.3.1)", async () => {
  const { authorization = "", form } = await prove(clientSecretBasic({ clientId, secret }));
  expect(authorization).toMatch(/^Basic [A-Za-z0-9+/]+=*$/);
  expect(Buffer.from(authorization.slice(6), "base64").toString()).toBe(`${clientId}:${secret}`);
  expect(form).toBeUndefined();
});

test("Basic form-encodes both (RFC 6749 §2.3.1)", async () => {
  const { authorization = "" } = await prove(clientSecretBasic({ clientId: "a~b", secret }));
  expect(Buffer.from(authorization.slice(6), "base64").toString()).toBe(`a%7Eb:${secret}`);
});

test("post is id and secret in the form (RFC 6749 §2.3.1)", async () => {
  expect(await prove(clientSecretPost({ clientId, secret }))).toEqual({
    form: { client_id: clientId, client_secret: secret },
  });
});

test("a certificate is the id in the form (RFC 8705 §2)", async () => {
  expect(await prove(tlsClientAuth({ clientId }))).toEqual({ form: { client_id: clientId } });
});

test("a function is asked before each proof", async () => {
  let asked = 0;
  const credential = clientSecretPost({
    clientId,
    secret: async () => {
      asked += 1;
      return secret;
    },
  });
  expect(asked).toBe(0);
  await prove(credential);
  await prove(credential);
  expect(asked).toBe(2);
});

const wrongSecrets = [
  "hunter2",
  "correct horse battery staple",
  secret.slice(0, -1),
  `${secret}\n`,
  secret.toUpperCase(),
  secret.replace("_3oDH", "_3oDI"),
  secret.replace("k3f9a1c2", "k3f9a1c3"),
  `${secret.slice(0, -1)}9`,
];

describe("credential: what is no generated secret is not sent", () => {
  test.each(wrongSecrets)("%j", async (wrong) => {
    for (const credential of [
      clientSecretBasic({ clientId, secret: wrong }),
      clientSecretPost({ clientId, secret: wrong }),
      dayForm({ clientId, material: { secret: wrong, salt } }),
      oneTimeForm({ clientId, material: { secret: wrong, salt } }),
    ]) {
      const error: unknown = await prove(credential).catch((e: unknown) => e);
      expect(error).toMatchObject({ name: "DaykeyError", code: "credential" });
      expect(inspect(error, { depth: 9 })).not.toContain(wrong);
    }
  });

  test.each<[string, SecretMaterial]>([
    ["no salt", { secret, salt: "" }],
    ["a salt in upper case", { secret, salt: salt.replace("aa", "AA") }],
    ["a root that is short", { root: "b2", kid, salt }],
    ["a root in upper case", { root: "B".repeat(64), kid, salt }],
    ["a kid that is none", { root: "b".repeat(64), kid: "K3F9A1C2", salt }],
  ])("%s", async (_, material) => {
    await expect(prove(oneTimeForm({ clientId, material }))).rejects.toMatchObject({
      code: "credential",
    });
  });

  test.each(["", "-a", "a:b", "a b", "é", "a".repeat(65), "a\n"])("client id %j", (wrong) => {
    for (const make of [clientSecretBasic, clientSecretPost]) {
      expect(() => make({ clientId: wrong, secret })).toThrow(DaykeyError);
    }
    const material = { secret, salt };
    expect(() => dayForm({ clientId: wrong, material })).toThrow(DaykeyError);
    expect(() => oneTimeForm({ clientId: wrong, material })).toThrow(DaykeyError);
  });
});

describe("a secret that cannot be read", () => {
  const failing = (error: Error): ClientCredential =>
    clientSecretPost({
      clientId,
      secret: () => {
        throw error;
      },
    });

  test("is `credential`, with its cause", async () => {
    const cause = new Error("ENOENT");
    await expect(prove(failing(cause))).rejects.toMatchObject({ code: "credential", cause });
  });

  test("L1: without a cause that quotes what it read", async () => {
    const cause = new SyntaxError(`Unexpected token, "${secret}" is not valid JSON`);
    const error: unknown = await prove(failing(cause)).catch((e: unknown) => e);
    expect(inspect(error, { depth: 9 })).not.toContain(secret);
    expect(error).toMatchObject({ code: "credential" });
  });
});

test("L1: no credential shows its secret when it is printed", () => {
  const all = [
    clientSecretBasic({ clientId, secret }),
    clientSecretPost({ clientId, secret }),
    dayForm({ clientId, material: { secret, salt } }),
    oneTimeForm({ clientId, material: { secret, salt } }),
  ];
  const shown = all.flatMap((credential) => [
    inspect(credential, { depth: 9, showHidden: true }),
    JSON.stringify(credential),
  ]);
  expect(shown.join("\n")).not.toContain("dks_");
  expect(all.map(({ method }) => method)).toEqual([
    "client_secret_basic",
    "client_secret_post",
    "client_secret_hash_day",
    "client_secret_hash_once",
  ]);
});
