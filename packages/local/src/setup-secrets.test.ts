/** The secrets of a set-up's clients, whatever time and crashes do to them. */
import { rm, stat, writeFile } from "node:fs/promises";
import type { CredentialFile } from "@daykey/auth-server/registration/credential-file";
import { API, ISSUER } from "@daykey/auth-server/test/auth-server";
import { kidOfSecret } from "@daykey/common/secret-hash";
import { describe, expect, test } from "vitest";
import {
  asAdmin,
  authServer,
  endIn,
  kidsOf,
  logIn,
  NAMES,
  pathOf,
  put,
  putMasterKey,
  read,
  setUp,
  useSetUp,
} from "../test/set-up.ts";
import { readConfig } from "./config.ts";
import type { Home } from "./home.ts";
import { keepHomeClients } from "./home-clients.ts";

useSetUp();

describe("time", () => {
  test.each([
    ["366 days", false, 200],
    ["61 days", false, 200],
    ["59 days", true, 200],
    ["36 days", true, 200],
    ["-1 second", true, 401],
    ["-434 days", true, 401],
  ])(
    "secrets that end in %s: renewed %s, and those before answer %s",
    async (left, isRenewed, old) => {
      await setUp();
      const before = await Promise.all(NAMES.map(read));
      await endIn(left);
      expect((await setUp()).renewed).toEqual(isRenewed ? NAMES : []);
      for (const [i, name] of NAMES.entries()) {
        const now = await read(name);
        expect(await logIn(now), name).toBe(200);
        expect(now.client_secret === before[i]?.client_secret, name).toBe(!isRenewed);
        expect((await stat(pathOf(name))).mode & 0o777).toBe(0o600);
        expect(await logIn(before[i] ?? now), name).toBe(old);
      }
      expect((await setUp()).renewed).toEqual([]);
    },
  );

  test("a start that is never stopped renews them, and says so", async () => {
    const ports = { AUTH_PORT: "4000", RESOURCE_PORT: "5000" };
    const config = { ...readConfig(ports), issuer: ISSUER, resource: API };
    const home = {
      masterKeyFile: await putMasterKey(),
      adminFile: pathOf("admin"),
      resourceServerFile: pathOf("resource-server"),
      demoFile: pathOf("demo"),
    } as Home;
    const lines: string[] = [];
    const kept = await keepHomeClients({
      databaseUrl: authServer().database.appUrl,
      config,
      home,
      clock: authServer().now,
      print: (line) => void lines.push(line),
      everySeconds: 0.02,
    });
    try {
      const { client_secret: before } = await read("demo");
      expect(lines).toEqual([]);
      await endIn("30 days");
      await expect.poll(async () => (await read("demo")).client_secret).not.toBe(before);
      await expect.poll(() => lines.length).toBe(3);
      for (const name of NAMES) expect(lines.join("\n")).toContain(`${name}.json`);
    } finally {
      await kept.stop();
    }
  });
});

describe("a file whose secret is not the client's gets one that is", () => {
  test.each<[string, (file: CredentialFile) => object | Promise<object>]>([
    [
      "it was revoked",
      async (file) => {
        const kid = kidOfSecret(file.client_secret);
        await authServer().database.query(
          "update daykey.secrets set revoked_at = now() where kid = $1",
          [kid],
        );
        return file;
      },
    ],
    [
      "it is gone from the database",
      async (file) => {
        await authServer().database.query("delete from daykey.secrets");
        return file;
      },
    ],
    [
      "it has the form of a version before",
      (file) => ({
        ...file,
        client_secret: `dks_aaaaaaaa_${"0".repeat(64)}_00000000`,
      }),
    ],
    ["it is empty", (file) => ({ ...file, client_secret: "" })],
  ])("%s", async (_, change) => {
    await setUp();
    for (const name of NAMES) await put(name, await change(await read(name)));
    const { renewed, hasAdmin } = await setUp();
    expect({ renewed, hasAdmin }).toEqual({ renewed: NAMES, hasAdmin: true });
    for (const name of NAMES) expect(await logIn(await read(name)), name).toBe(200);
    expect((await setUp()).renewed).toEqual([]);
  });

  test("but an admin's that was revoked, or whose file was taken away, while another admin can get in", async () => {
    await setUp();
    const other = await authServer().createClient({
      scopes: ["daykey:admin"],
      resources: [ISSUER],
    });
    const { client_id, client_secret } = await read("admin");
    const kid = kidOfSecret(client_secret);
    expect(await asAdmin("POST", `/clients/${client_id}/secrets/${kid}/revoke`)).toBe(204);
    expect(await setUp()).toMatchObject({ hasAdmin: true, renewed: [] });
    await rm(pathOf("admin"));
    expect(await setUp()).toMatchObject({ hasAdmin: true, renewed: [] });
    await expect(stat(pathOf("admin"))).rejects.toThrow("ENOENT");
    await authServer().database.query(
      "update daykey.clients set enabled = false where client_id = $1",
      [other.clientId],
    );
    expect(await setUp()).toMatchObject({ hasAdmin: false, renewed: [] });
  });

  test("but a disabled admin's", async () => {
    await setUp();
    await authServer().database.query(
      "update daykey.clients set enabled = false where client_id = 'admin'",
    );
    await endIn("-1 day");
    expect(await setUp()).toMatchObject({ hasAdmin: false, renewed: ["resource-server", "demo"] });
  });
});

describe("both places for a secret are taken", () => {
  test("the one that is not in the file is revoked", async () => {
    await setUp();
    await authServer().addSecret("demo");
    await endIn("30 days");
    const own = kidOfSecret((await read("demo")).client_secret);
    expect((await setUp()).renewed).toEqual(NAMES);
    const next = kidOfSecret((await read("demo")).client_secret);
    expect(await kidsOf("demo")).toEqual([own, next]);
    expect(await logIn(await read("demo"))).toBe(200);
  });

  test("of two that are not, the older one", async () => {
    await setUp();
    await endIn("-1 day");
    const older = await authServer().addSecret("demo");
    await authServer().database.query(
      "update daykey.secrets set created_at = now() - interval '9 days' where kid = $1",
      [older.kid],
    );
    const newer = await authServer().addSecret("demo");
    await setUp();
    const next = kidOfSecret((await read("demo")).client_secret);
    expect(await kidsOf("demo")).toEqual([newer.kid, next]);
    expect(await logIn(await read("demo"))).toBe(200);
  });
});

describe("a crash", () => {
  test("between commit and file is mended by the file's draft, without another secret", async () => {
    await setUp();
    const before = await read("demo");
    await endIn("30 days");
    await setUp();
    const next = await read("demo");
    await put("demo", before);
    await writeFile(`${pathOf("demo")}.new`, JSON.stringify(next));
    const kids = await kidsOf("demo");
    expect((await setUp()).renewed).toEqual([]);
    expect(await read("demo")).toEqual(next);
    expect(await kidsOf("demo")).toEqual(kids);
    await expect(stat(`${pathOf("demo")}.new`)).rejects.toThrow("ENOENT");
  });

  test.each([
    [
      "a draft that was not committed",
      (file: CredentialFile) =>
        JSON.stringify({
          ...file,
          client_secret: file.client_secret.replace(/^dks_......../, "dks_zzzzzzzz"),
        }),
    ],
    ["half a draft", (file: CredentialFile) => JSON.stringify(file).slice(0, 90)],
    ["an empty draft", () => ""],
  ])("leaves %s, which is never used", async (_, draft) => {
    await setUp();
    const before = await read("demo");
    await writeFile(`${pathOf("demo")}.new`, draft(before));
    expect((await setUp()).renewed).toEqual([]);
    expect(await read("demo")).toEqual(before);
    await endIn("30 days");
    expect((await setUp()).renewed).toEqual(NAMES);
    expect(await logIn(await read("demo"))).toBe(200);
  });
});
