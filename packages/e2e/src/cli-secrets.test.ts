/** `daykey` against the real servers: secrets made elsewhere than on the server, and their ends. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fromCredentialFile } from "@daykey/client/credential-file";
import type { Outcome } from "@daykey/cli/test/run-daykey";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CommandLine, compact, startCommandLine } from "../test/daykey.ts";

let line: CommandLine;
let resource: string;
let daykey: CommandLine["daykey"];
let result: CommandLine["result"];

beforeAll(async () => {
  line = await startCommandLine();
  ({ resource, daykey, result } = line);
});
afterAll(() => line.stop());

const create = (id: string, ...more: string[]): Promise<Outcome> =>
  daykey(
    [
      `clients create ${id} --name ${id} --resource ${resource} --scope time:read primes:check`,
      ...more,
    ].join(" "),
  );

test("a secret made here is never sent, and works", async () => {
  await create("kept", "--local --save kept.json");
  expect((await daykey("time --credential kept.json")).code).toBe(0);
  expect(compact(await result("secrets list kept"))).toContain("<kid>  verifiers  live");
});

test("a chosen secret comes from standard input, and is not shown again", async () => {
  const input = "correct horse battery staple";
  const command = `clients create chosen --name x --resource ${resource} --scope time:read --chosen`;
  const { code, stdout, stderr } = await daykey(command, { input });
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(
    /^client_id {2}chosen\nkid {8}[a-z0-9]{8}\nsalt {7}[0-9a-f]{32}\nends {7}/,
  );
});

test(
  "a chosen secret is saved as its root, which works in both hash forms",
  { timeout: 180_000 },
  async () => {
    const input = "correct horse battery stäple";
    const made = await daykey(
      `clients create root --name x --resource ${resource} --scope time:read --chosen --save root.json`,
      { input },
    );
    expect(made.code, made.stderr).toBe(0);
    const text = await readFile(join(line.folder, "root.json"), "utf8");
    const { root } = JSON.parse(text) as { root: string };
    expect(text).not.toContain(input);
    for (const shown of [made.stdout, made.stderr]) expect(shown).not.toContain(root);
    for (const form of ["once", "day"]) {
      const got = await daykey(`token --credential root.json --form ${form}`);
      expect(got.code, got.stderr).toBe(0);
    }
    const refused = await daykey("token --credential root.json --form basic");
    expect(refused.code).toBe(5);
    expect(refused.stderr).toContain("works by once and day");
    for (const method of ["client_secret_hash_once", "client_secret_hash_day"] as const) {
      const source = await fromCredentialFile(text, { method, allowInsecureRequests: true });
      expect((await source.token()).value).not.toBe("");
    }
    const source = await fromCredentialFile(text, { method: "client_secret_post" });
    await expect(source.token()).rejects.toMatchObject({ code: "credential" });
    const another = await daykey(
      "secrets rotate root --chosen --save root.json --overlap 0 --json",
      {
        input: "another secret of mine",
      },
    );
    expect(another.code, another.stderr).toBe(0);
    expect(another.stdout).not.toContain('"root":');
    expect((await daykey("token --credential root.json")).code).toBe(0);
  },
);

// Each command is a process of its own.
const MANY = { timeout: 180_000 };

test("secrets that end soon or have ended are listed, and named by the doctor", MANY, async () => {
  await create("soon", "--life 5d --save soon.json");
  await create("later", "--life 20d --save later.json");
  expect(compact(await result("secrets ending"))).toMatch(
    /^CLIENT  NAME  KID  STATE  ENDS  LAST USED\nsoon  soon  \w{8}  ending  in 5 d  -\nlater  later  \w{8}  ending  in 20 d  -\n$/,
  );
  const weekly = JSON.parse(await result("secrets ending --within 7d --json")) as object;
  expect(weekly).toMatchObject({
    items: [{ client_id: "soon", state: "ending" }],
    next_cursor: null,
  });
  const told = await daykey("doctor");
  expect(told.code).toBe(4);
  expect(told.stdout).toContain(
    "fault    secrets      soon ends in 5 d, later ends in 20 d  → daykey secrets ending lists them.\n",
  );
  await result("clients delete soon --yes");
  expect(await result("doctor")).toContain("ok       secrets      later ends in 20 d\n");
  await result("clients delete later --yes");
  expect(await result("secrets ending --within 7d")).toBe(
    "no client's last secret ends within 7d\n",
  );
});
