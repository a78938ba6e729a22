import { chmod, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDesk, type Desk } from "../test/run-daykey.ts";

const SECRET = "dks_k3f9a1c2_3oDH4mEVFvp7u7ED6UzpF5eHPrBI5AHumY7UBpOQIJz_0k1H3W";
const CREDENTIAL = {
  issuer: "https://auth.example.com",
  resource: "https://api.example.com",
  client_id: "billing",
  client_secret: SECRET,
  salt: "00112233445566778899aabbccddeeff",
};

let desk: Desk;
let profiles: string;
beforeEach(async () => {
  desk = await createDesk();
  profiles = join(desk.folder, ".config/daykey/profiles.json");
});
afterEach(() => desk.remove());

const addPiped = (name = "billing") =>
  desk.run(["profile", "add", name], { input: JSON.stringify(CREDENTIAL) });

async function writeCredential(name: string, changes: object = {}): Promise<string> {
  const file = join(desk.folder, name);
  await writeFile(file, JSON.stringify({ ...CREDENTIAL, ...changes }), { mode: 0o600 });
  return file;
}

test("a credential from standard input is kept in a 0600 file in a 0700 folder", async () => {
  expect(await addPiped()).toEqual({
    code: 0,
    stdout: "billing is added, and used now\n",
    stderr: "",
  });
  expect((await stat(profiles)).mode & 0o777).toBe(0o600);
  expect((await stat(join(profiles, ".."))).mode & 0o777).toBe(0o700);
  expect(JSON.parse(await readFile(profiles, "utf8"))).toEqual({
    current: "billing",
    profiles: { billing: { credential: CREDENTIAL } },
  });
});

test("a credential file is kept by its path, so that a rotated secret is taken up", async () => {
  const file = await writeCredential("billing.json");
  await desk.run(["profile", "add", "billing", "--credential", "billing.json"]);
  expect(JSON.parse(await readFile(profiles, "utf8"))).toEqual({
    current: "billing",
    profiles: { billing: { credential_file: file } },
  });
});

test.each([0o604, 0o620, 0o640, 0o666])("a file of mode %o is refused", async (mode) => {
  await addPiped();
  await chmod(profiles, mode);
  expect(await desk.run(["hash", "--profile", "billing"])).toEqual({
    code: 5,
    stdout: "",
    stderr: `daykey: ${profiles} can be read by others\nchmod 600 ${profiles}, and rotate what it holds if someone may have read it.\n`,
  });
});

test("XDG_CONFIG_HOME says where it stands", async () => {
  const XDG_CONFIG_HOME = join(desk.folder, "xdg");
  const input = JSON.stringify(CREDENTIAL);
  await desk.run(["profile", "add", "billing"], { input, env: { XDG_CONFIG_HOME } });
  expect((await stat(join(XDG_CONFIG_HOME, "daykey/profiles.json"))).mode & 0o777).toBe(0o600);
});

test("profiles are listed without secrets, used and removed", async () => {
  await addPiped();
  await addPiped("other");
  await desk.run(["profile", "use", "other"]);
  const list = await desk.run(["profile", "list"]);
  expect(list.stdout).toBe(
    [
      "   PROFILE  CREDENTIAL  ISSUER                    ADMIN URL",
      "   billing  billing     https://auth.example.com  -",
      "*  other    billing     https://auth.example.com  -",
      "",
    ].join("\n"),
  );
  await desk.run(["profile", "remove", "other"]);
  const after = await desk.run(["profile", "list", "--json"]);
  expect(JSON.parse(after.stdout)).toEqual({
    items: [
      {
        name: "billing",
        current: false,
        client_id: "billing",
        issuer: "https://auth.example.com",
        credential_file: null,
        admin_url: null,
      },
    ],
  });
});

test.each([
  ["no profile of that name", ["hash", "--profile", "nobody"], "There is no profile nobody"],
  ["a name of Object's", ["hash", "--profile", "constructor"], "There is no profile constructor"],
  ["no such file", ["hash", "--credential", "gone.json"], "gone.json is not there"],
])("what is not there is told: %s", async (_, args, message) => {
  const { code, stdout, stderr } = await desk.run(args);
  expect([code, stdout]).toEqual([5, ""]);
  expect(stderr).toContain(message);
});

test("what is said first counts, what is nearest after that", async () => {
  const place = async (env: Record<string, string>, ...args: string[]): Promise<unknown> => {
    const { stdout } = await desk.run(["hash", "--json", ...args], { env });
    return (JSON.parse(stdout) as { client_id: string }).client_id;
  };
  const files = ["option", "environment"].map((id) =>
    writeCredential(`${id}.json`, { client_id: id }),
  );
  await Promise.all(files);
  const both = { DAYKEY_CREDENTIAL_FILE: "environment.json", DAYKEY_PROFILE: "kept" };
  for (const name of ["kept", "current"]) {
    const input = JSON.stringify({ ...CREDENTIAL, client_id: name });
    await desk.run(["profile", "add", name], { input });
  }
  await desk.run(["profile", "use", "current"]);

  expect(await place({})).toBe("current");
  await mkdir(join(desk.folder, ".daykey"));
  await writeCredential(".daykey/demo-client.json", { client_id: "demo" });
  expect(await place({})).toBe("demo");
  expect(await place({ DAYKEY_PROFILE: "kept" })).toBe("kept");
  expect(await place(both)).toBe("environment");
  expect(await place(both, "--profile", "kept")).toBe("kept");
  expect(await place(both, "--credential", "option.json")).toBe("option");
});

test.each([
  ["not JSON", "hello"],
  ["an array", "[]"],
  ["without a secret", JSON.stringify({ ...CREDENTIAL, client_secret: undefined })],
  ["with a number for a salt", JSON.stringify({ ...CREDENTIAL, salt: 5 })],
])("what is no credential is refused, and not shown: %s", async (_, input) => {
  const { code, stdout, stderr } = await desk.run(["profile", "add", "x"], { input });
  expect([code, stdout]).toEqual([5, ""]);
  expect(stderr).toMatch(/^daykey: The input is not a credential: /);
  expect(stderr).not.toContain(SECRET);
});

test("eight that are added at once are all kept", async () => {
  const names = Array.from({ length: 8 }, (_, n) => `p${n}`);
  const outcomes = await Promise.all(names.map((name) => addPiped(name)));
  expect(outcomes.map(({ code, stderr }) => [code, stderr])).toEqual(names.map(() => [0, ""]));
  const kept = JSON.parse(await readFile(profiles, "utf8")) as { profiles: object };
  expect(Object.keys(kept.profiles).toSorted()).toEqual(names);
  expect(await readdir(join(profiles, ".."))).toEqual(["profiles.json"]);
}, 60_000);

test("a link to the file of profiles stays a link, and is written through", async () => {
  await mkdir(join(profiles, ".."), { recursive: true });
  await symlink(join(desk.folder, "elsewhere.json"), profiles);
  for (const name of ["a", "b"]) expect((await addPiped(name)).code).toBe(0);
  expect((await lstat(profiles)).isSymbolicLink()).toBe(true);
  const kept = JSON.parse(await readFile(join(desk.folder, "elsewhere.json"), "utf8")) as object;
  expect(kept).toMatchObject({ current: "a", profiles: { a: {}, b: {} } });
});

test("a config folder that cannot be is told with its remedy", async () => {
  await writeFile(join(desk.folder, ".config"), "a file");
  const { code, stdout, stderr } = await addPiped();
  expect([code, stdout]).toEqual([5, ""]);
  expect(stderr).toMatch(/^daykey: \S+profiles.json cannot be (read|written) \(ENOTDIR\)/);
});

test("a config folder whose parent takes no folders is told, and not tried for ever", async () => {
  const { code, stdout, stderr } = await desk.run(["profile", "add", "x"], {
    input: JSON.stringify(CREDENTIAL),
    env: { XDG_CONFIG_HOME: "/proc/daykey-none" },
  });
  expect([code, stdout]).toEqual([5, ""]);
  expect(stderr).toContain("profiles.json cannot be written (ENOENT)");
});

test.each([
  "{",
  "[]",
  '{"profiles":5}',
  '{"profiles":{"x":5}}',
  '{"profiles":{"x":{"credential":{}}}}',
])("a file of profiles that is none is told, and left as it is: %s", async (text) => {
  await mkdir(join(profiles, ".."), { recursive: true });
  await writeFile(profiles, text, { mode: 0o600 });
  const { code, stderr } = await addPiped();
  expect([code, await readFile(profiles, "utf8")]).toEqual([5, text]);
  expect(stderr).toContain(profiles);
});

test.each([
  ["a byte order mark", Buffer.from(`\uFEFF${JSON.stringify(CREDENTIAL)}`)],
  ["UTF-16", Buffer.from(`\uFEFF${JSON.stringify(CREDENTIAL)}`, "utf16le")],
  ["CRLF", Buffer.from(JSON.stringify(CREDENTIAL, null, 2).replaceAll("\n", "\r\n"))],
])("a credential that another system's editor wrote is taken: %s", async (_, bytes) => {
  await writeFile(join(desk.folder, "c.json"), bytes, { mode: 0o600 });
  expect((await desk.run(["hash", "--credential", "c.json"])).code).toBe(0);
});

test("hash prints today's day form alone, and asks no server", async () => {
  await addPiped();
  const { code, stdout, stderr } = await desk.run(["hash"]);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^[0-9a-f]{64}\n$/);
});
