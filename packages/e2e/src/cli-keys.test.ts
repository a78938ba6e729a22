/** `daykey api-keys`, `signature-keys`, `usage`, and at the end `restored`, against the real servers. */
import { createHash, generateKeyPairSync } from "node:crypto";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readSignatureKey } from "@daykey/client/signature-key";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CommandLine, startCommandLine } from "../test/daykey.ts";

let line: CommandLine;
let daykey: CommandLine["daykey"];
let result: CommandLine["result"];
beforeAll(async () => {
  line = await startCommandLine();
  ({ daykey, result } = line);
  await result(
    `clients create billing --name billing --resource ${line.resource} --scope time:read primes:check --quota 1000/day --quota 5/second --save billing.json`,
  );
});
afterAll(() => line.stop());

interface Client {
  exchange: object | null;
  grant_types: string[];
}

interface Key {
  id: string;
  live: boolean;
}
const read = (name: string): Promise<string> => readFile(join(line.folder, name), "utf8");
const listed = async (kind: string): Promise<Key[]> =>
  (JSON.parse(await result(`${kind} list billing --json`)) as { items: Key[] }).items;

async function statusWith(apiKey: string): Promise<number> {
  const headers = { "x-api-key": apiKey };
  const response = await fetch(`${line.resource}/time`, { headers });
  await response.text();
  return response.status;
}

test("a client's quotas are shown, changed and taken away", async () => {
  expect(await result("clients show billing")).toMatch(/^quotas +1000\/day, 5\/second$/m);
  expect(await result("clients update billing --quota 7/hour")).toMatch(/^quotas +7\/hour$/m);
  expect(await result("clients update billing --no-quota")).toMatch(/^quotas +none$/m);
  const both = await daykey("clients update billing --quota 5/fortnight");
  expect([both.code, both.stderr]).toEqual([2, expect.stringContaining("write 5/day")]);
});

test("a client's quotas on issuing and claims for services are set, shown and taken away", async () => {
  const set = `--token-quota 60/minute --token-quota 5000/day --ext {"tenant":"acme","level":3}`;
  const shown = await result(`clients update billing ${set}`);
  expect(shown).toMatch(/^token quotas +60\/minute, 5000\/day$/m);
  expect(shown).toMatch(/^ext +\{"tenant":"acme","level":3\}$/m);
  const none = await result("clients update billing --no-token-quota --no-ext");
  expect(none).not.toMatch(/^(token quotas|ext) /m);
  const wrong = await daykey("clients update billing --token-quota 5/second");
  expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining("token_quotas.0.window")]);
  expect((await daykey("clients update billing --ext tenant=acme")).code).toBe(2);
});

test("what a client may exchange is changed in what is given, and in nothing else", async () => {
  const { resource } = line;
  const rights = `--exchange-subject billing --exchange-audience ${resource} --exchange-scope time:read`;
  const what = `--resource ${resource} --scope time:read primes:check ${rights} --id-jag --no-secret`;
  await result(`clients create actor --name actor ${what}`);
  const exchange = async (options: string): Promise<unknown> => {
    const client = JSON.parse(await result(`clients update actor ${options} --json`)) as Client;
    return [client.exchange, client.grant_types.length];
  };
  const before = {
    subjects: ["billing"],
    audiences: [resource],
    scopes: ["time:read"],
    impersonation: false,
  };
  const more = { ...before, subjects: ["*"], impersonation: true };
  expect(await exchange("--exchange-subject *")).toEqual([{ ...before, subjects: ["*"] }, 3]);
  expect(await exchange("--impersonation")).toEqual([more, 3]);
  expect(await exchange("--form day")).toEqual([more, 3]);
  const wide = { ...more, scopes: null, impersonation: false };
  expect(await exchange("--no-exchange-scope --no-impersonation")).toEqual([wide, 3]);
  expect(await exchange("--no-id-jag")).toEqual([wide, 2]);
  expect(await exchange("--no-exchange")).toEqual([null, 1]);
  expect((await daykey("clients update actor --exchange-scope time:read")).code).toBe(1);
  const people = await result("clients update actor --id-jag --exchange-subject billing");
  expect(people).toMatch(/^exchange +tokens of billing, for no resource$/m);
  await result("clients delete actor --yes");
});

test("a client is registered to need the typ of RFC 10070 in its assertions, and no more", async () => {
  const what = `--resource ${line.resource} --scope time:read --form key --no-secret`;
  const required = /^assertion typ +required$/m;
  const create = `clients create signer --name signer ${what} --require-assertion-typ`;
  expect(await result(create)).toMatch(required);
  const update = "clients update signer";
  expect(await result(`${update} --no-require-assertion-typ`)).not.toMatch(required);
  expect(await result(`${update} --name x`)).not.toMatch(required);
  expect(await result(`${update} --require-assertion-typ`)).toMatch(required);
  expect(await result(`${update} --name y`)).toMatch(required);
  await result("clients delete signer --yes");
});

test("an API key is printed once, opens its resource, is rotated into its file and revoked", async () => {
  const printed = await result("api-keys create billing --name ci --scope time:read --life 90d");
  expect(printed).toMatch(/^dkk_[a-z0-9]{12}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}\n$/);
  expect(await statusWith(printed.trim())).toBe(200);
  expect(await result("api-keys list billing")).toMatch(/ci +live +time:read +- +/);

  expect(await result("api-keys create billing --name file --save key.txt --no-end")).toBe("");
  const saved = await read("key.txt");
  expect([saved.length, (await stat(join(line.folder, "key.txt"))).mode & 0o777]).toEqual([
    68, 0o600,
  ]);
  expect((await daykey("api-keys create billing --name other --save key.txt")).code).toBe(5);
  expect(await read("key.txt")).toBe(saved);

  const [old] = await listed("api-keys");
  await result(`api-keys rotate billing ${old?.id} --overlap 1h --save key.txt`);
  const successor = await read("key.txt");
  expect(successor).not.toBe(saved);
  for (const key of [saved, successor]) expect(await statusWith(key.trim())).toBe(200);
  expect(await result(`api-keys revoke billing ${old?.id} --yes`)).toBe(`${old?.id} is revoked\n`);
  await expect.poll(async () => statusWith(saved.trim()), { timeout: 5000 }).toBe(401);
  expect(await statusWith(successor.trim())).toBe(200);
});

test("V11: a client's quota holds for its key, and what it used is told within seconds", async () => {
  const what = `--resource ${line.resource} --scope time:read`;
  await result(`clients create limited --name limited ${what} --quota 2/day --save limited.json`);
  const key = (await result("api-keys create limited --name any --life 90d")).trim();
  const statuses = [];
  for (let call = 1; call <= 5; call++) statuses.push(await statusWith(key));
  expect(statuses).toEqual([200, 200, 429, 429, 429]);
  const usage = async () =>
    (JSON.parse(await result("usage --client limited --json")) as { items: object[] }).items;
  await expect
    .poll(usage, { timeout: 20_000, interval: 1000 })
    .toEqual([
      expect.objectContaining({ client_id: "limited", scope: "time:read", served: 2, refused: 3 }),
    ]);
});

test("a signature key is a file that the SDK takes; of a pair the server gets the public half", async () => {
  await result("signature-keys create billing --name pair --save pair.json");
  const pair = JSON.parse(await read("pair.json")) as Record<string, unknown>;
  const [made] = await listed("signature-keys");
  expect(pair).toEqual({
    key_id: made?.id,
    algorithm: "ed25519",
    client_id: "billing",
    resource: line.resource,
    private_jwk: expect.objectContaining({ kty: "OKP", d: expect.any(String) }),
  });
  expect((await readSignatureKey(await read("pair.json"))).keyId).toBe(made?.id);

  const printed = await result("signature-keys create billing --name mac --algorithm hmac-sha256");
  expect((await readSignatureKey(printed)).algorithm).toBe("hmac-sha256");

  await result(`signature-keys rotate billing ${made?.id} --save pair.json`);
  const next = await readSignatureKey(await read("pair.json"));
  expect([next.algorithm, next.keyId === made?.id]).toEqual(["ed25519", false]);

  const secret = createHash("sha256").update("both have it").digest();
  await writeFile(join(line.folder, "secret.bin"), secret);
  const brought = await result(
    "signature-keys create billing --name old --algorithm hmac-sha256 --secret-file secret.bin",
  );
  expect(JSON.parse(brought)).toMatchObject({ secret: secret.toString("base64url") });

  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  for (const [name, key] of Object.entries({ public: publicKey, private: privateKey })) {
    await writeFile(
      join(line.folder, `${name}.jwk`),
      JSON.stringify(key.export({ format: "jwk" })),
    );
  }
  const id = await result("signature-keys create billing --name away --jwk-file public.jwk");
  expect(id).toMatch(/^[a-z0-9]{12}\n$/);
  expect((await daykey("signature-keys create billing --name x --jwk-file private.jwk")).code).toBe(
    2,
  );
  expect(await result(`signature-keys revoke billing ${id.trim()} --yes`)).toContain("revoked");
});

test("calls are signed with a key's file, and answers verified", async () => {
  await result("signature-keys create billing --name mac --algorithm hmac-sha256 --save mac.json");
  for (const file of ["pair.json", "mac.json"]) {
    expect(await result(`time --key-file ${file} --signed`)).toMatch(/^\d{4}-.* UTC\n$/);
    const prime = await result(`prime 97 --verify --signed --key-file ${file}`);
    expect(prime).toContain("97 is prime (proven)");
  }
  expect(await result("prime 7 --signed --credential billing.json")).toContain("7 is prime");
  const away = await daykey(`time --key-file mac.json --resource ${line.issuer}`);
  expect([away.code, away.stdout]).toEqual([1, ""]);
  expect((await daykey("time --key-file billing.json")).code).toBe(5);
  expect((await daykey("time --key-file nothing.json")).code).toBe(5);
  expect((await daykey("time --key-file mac.json --token-file mac.json")).code).toBe(2);
});

test("a signed URL is good by itself", async () => {
  const url = (await result("sign-url /time?zone=Asia/Tokyo --key-file pair.json")).trim();
  const response = await fetch(url);
  expect([response.status, await response.json()]).toEqual([
    200,
    expect.objectContaining({ zone: "Asia/Tokyo" }),
  ]);
  const [, query] = url.split("?");
  expect((await fetch(`${line.resource}/primes/7?${query}`)).status).toBe(401);
  const shown = JSON.parse(await result("sign-url /time --key-file pair.json --seconds 9 --json"));
  expect(shown).toEqual({
    url: expect.stringContaining("dk-key="),
    expires_at: expect.any(Number),
  });
  for (const options of ["--seconds 0", "--seconds 86401", "--method get"]) {
    expect((await daykey(`sign-url /time --key-file pair.json ${options}`)).code, options).toBe(2);
  }
  expect((await daykey("sign-url https://other.example/ --key-file pair.json")).code).toBe(1);
  expect((await daykey("sign-url /time")).code).toBe(2);
});

test("usage is a table, or what the server answered", async () => {
  expect(await result("usage --client nobody")).toMatch(/^DAY +CLIENT +RESOURCE +SCOPE +SERVED/);
  const answer = await result("usage --client nobody --from 2026-01-01 --to 2026-12-31 --json");
  expect(JSON.parse(answer)).toEqual({ items: [], next_cursor: null });
  expect((await daykey("usage --from yesterday")).code).toBe(2);
});

test("no key was ever written to standard error", () => {
  expect(line.notes()).not.toMatch(/dkk_[a-z0-9]{12}_|"d"|private_jwk/);
});

test("R14: after daykey restored no token from before is good at the resource, and a new one is", async () => {
  const old = join(line.folder, "old.token");
  await writeFile(old, await result("token"));
  expect(await result(`time --token-file ${old}`)).toContain("UTC");
  expect((await daykey("restored")).code).toBe(2);

  expect(await result("restored --yes")).toBe("every token of 5 clients is ended\n");

  const refused = async () => (await daykey(`time --token-file ${old}`)).code;
  await expect.poll(refused, { timeout: 10_000 }).toBe(1);
  const served = async () => (await daykey("time")).code;
  await expect.poll(served, { timeout: 10_000 }).toBe(0);
});
