/** `daykey export`, `plan` and `apply` against the real servers: a file in, and only what it says. */
import { once } from "node:events";
import { readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { type CommandLine, startCommandLine } from "../test/daykey.ts";

let line: CommandLine;
let daykey: CommandLine["daykey"];
let result: CommandLine["result"];
beforeAll(async () => {
  line = await startCommandLine();
  ({ daykey, result } = line);
});
afterAll(() => line.stop());

const ORDERS = "https://orders.example.com";
const JWK = {
  kid: "k1",
  kty: "OKP",
  crv: "Ed25519",
  x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
};

const client = (id: string, more: object = {}): object => ({
  client_id: id,
  name: id,
  auth_methods: ["client_secret_basic"],
  scopes: ["orders:read"],
  resources: [ORDERS],
  ...more,
});
const signer = client("signer", { auth_methods: ["private_key_jwt"], keys: [JWK] });
const billing = client("billing", { auth_methods: ["client_secret_hash_once"] });

/** JSON is YAML. */
async function write(name: string, content: object | string | Buffer): Promise<string> {
  const isText = typeof content === "string" || Buffer.isBuffer(content);
  await writeFile(join(line.folder, name), isText ? content : JSON.stringify(content));
  return name;
}

const file = (clients: object[], scopes = ["orders:read", "orders:write"]): object => ({
  label: "orders",
  resources: [{ uri: ORDERS, name: "Orders", scopes, owner_client_id: "billing" }],
  clients,
  trust_issuers: [
    { name: "ci", iss: "https://ci.example.com", key_source: "jwks", jwks: { keys: [JWK] } },
  ],
  trust_rules: [
    {
      name: "deploy",
      issuer: "ci",
      client_id: "signer",
      conditions: [{ claim: "sub", one_of: ["a"] }],
    },
  ],
});

test("a file is applied once, again there is nothing to do, and each edit is planned, done and no more", async () => {
  await write("daykey.yaml", file([billing, signer]));
  const first = await daykey("plan daykey.yaml");
  expect([first.code, first.stdout]).toEqual([2, expect.stringContaining("+ client billing\n")]);
  expect(first.stdout).toContain("5 to create, 0 to change, 0 to remove, 0 unchanged");
  // Nobody is there to be asked.
  expect((await daykey("apply daykey.yaml")).code).toBe(2);
  await result("apply daykey.yaml --yes");
  const kept = join(line.folder, "daykey-secrets", "billing.json");
  expect((await stat(kept)).mode & 0o777).toBe(0o600);
  expect(JSON.parse(await readFile(kept, "utf8"))).toMatchObject({ client_id: "billing" });
  await result(`token --credential ${kept} --resource ${ORDERS}`);
  expect(await result("resources list")).toContain("billing");
  for (const command of [
    "plan daykey.yaml",
    "apply daykey.yaml --yes",
    "plan daykey.yaml --prune",
  ]) {
    expect(await result(command)).toBe("0 to create, 0 to change, 0 to remove, 5 unchanged\n");
  }

  await write("daykey.yaml", file([{ ...billing, ext: { team: "a" } }, signer]));
  const edited = await daykey("plan daykey.yaml");
  expect(edited.stdout).toBe(
    '~ client billing\n    ext: {} → {"team":"a"}\n0 to create, 1 to change, 0 to remove, 4 unchanged\n',
  );
  await result("apply daykey.yaml --yes");
  expect((await daykey("plan daykey.yaml")).code).toBe(0);
});

/** A way to the admin API on which `meanwhile` happens just before the first request of this kind. */
async function detour(method: string, meanwhile: () => Promise<unknown>) {
  let hasHappened = false;
  const server = createServer((request, response) => {
    void (async () => {
      const body = Buffer.concat((await request.toArray()) as Buffer[]);
      if (!hasHappened && request.method === method && request.url?.endsWith("/clients/billing")) {
        hasHappened = true;
        await meanwhile();
      }
      const headers = Object.entries(request.headers)
        .filter(([name]) => ["authorization", "content-type", "if-match"].includes(name))
        .map(([name, value]) => [name, String(value)] as [string, string]);
      const answer = await fetch(`${line.adminUrl}${request.url ?? ""}`, {
        method: request.method ?? "GET",
        headers,
        ...(body.length > 0 && { body }),
      });
      const etag = answer.headers.get("etag");
      response.writeHead(answer.status, {
        "content-type": answer.headers.get("content-type") ?? "",
        ...(etag !== null && { etag }),
      });
      response.end(await answer.text());
    })();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
}

test.each([
  ["GET", /client billing was changed by hand since the plan was made \(.*name/],
  ["PUT", /412/],
])(
  "what is changed by hand before the %s of apply is a conflict and stays",
  async (method, words) => {
    const name = `by-hand-before-${method}`;
    await write("daykey.yaml", file([{ ...billing, ext: { team: method } }, signer]));
    const way = await detour(method, async () => result(`clients update billing --name ${name}`));
    const refused = await daykey("apply daykey.yaml --yes", { env: { DAYKEY_ADMIN_URL: way.url } });
    way.close();
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(words)]);
    expect(refused.stderr).toContain("Of 1 steps 0 were done before");
    expect(await result("clients show billing")).toContain(name);
    // The next plan shows it, and what it would do about it.
    expect((await daykey("plan daykey.yaml")).stdout).toContain(`name: "${name}" → "billing"`);
    await result("apply daykey.yaml --yes");
  },
);

test("what left the file is removed by --prune alone, and nothing that carries another label or none", async () => {
  await result(
    `clients create by-hand --name x --resource ${ORDERS} --scope orders:read --no-secret --form workload`,
  );
  await write("daykey.yaml", {
    ...file([signer]),
    resources: [{ uri: ORDERS, name: "Orders", scopes: ["orders:read", "orders:write"] }],
  });
  const left = await daykey("plan daykey.yaml");
  expect(left.stdout).toContain(
    "? client billing is not in the file any more; --prune removes it\n",
  );
  const pruned = await daykey("plan daykey.yaml --prune");
  expect(pruned.stdout).toContain("- client billing\n");
  expect(pruned.stdout).not.toContain("by-hand");
  await result("apply daykey.yaml --prune --yes");
  expect((await daykey("clients show billing")).code).toBe(1);
  await result("clients show by-hand");
  await result("plan daykey.yaml --prune");
  await write("other.yaml", { label: "other", clients: [client("signer", { name: "mine" })] });
  const foreign = await daykey("apply other.yaml --yes");
  expect([foreign.code, foreign.stderr]).toEqual([
    1,
    expect.stringContaining("another file, orders"),
  ]);
});

test("who-uses names the clients of a scope or a resource, and no other", async () => {
  for (const what of ["orders:read", ORDERS, `${ORDERS}:443/`]) {
    const told = await result(`who-uses ${what}`);
    expect(told).toMatch(/^signer /m);
    expect(told).not.toMatch(/^admin|demo/m);
  }
  expect(await result("who-uses orders:write")).not.toContain("signer");
});

test("what export prints can be applied as it is, and changes nothing but the label", async () => {
  await write("all.yaml", await result("export --only-label orders"));
  expect(await result("plan all.yaml --prune")).toMatch(/^0 to create, 0 to change, 0 to remove/);
  const text = await readFile(join(line.folder, "all.yaml"), "utf8");
  expect(parse(text)).toMatchObject({
    label: "orders",
    clients: [{ client_id: "signer", keys: [{ kid: "k1" }] }],
  });
});

test("new secrets can be manifests, and a file that is there already is never written over", async () => {
  await write("more.yaml", { label: "more", clients: [client("Shop_1")] });
  const args = "apply more.yaml --yes --secrets-as kubernetes --secrets-in out";
  await result(args);
  const manifest = parse(
    await readFile(join(line.folder, "out", "Shop_1.secret.yaml"), "utf8"),
  ) as {
    metadata: object;
    stringData: Record<string, string>;
  };
  expect(manifest.metadata).toEqual({ name: "daykey-shop-1" });
  expect(JSON.parse(manifest.stringData["credential.json"] ?? "")).toMatchObject({
    client_id: "Shop_1",
  });
  await write("out/next.json", "mine");
  await write("more.yaml", { label: "more", clients: [client("Shop_1"), client("next")] });
  const refused = await daykey("apply more.yaml --yes --secrets-in out");
  expect([refused.code, refused.stderr]).toEqual([5, expect.stringContaining("left alone")]);
  expect(await readFile(join(line.folder, "out/next.json"), "utf8")).toBe("mine");
  expect((await daykey("clients show next")).code).toBe(1);
});

const BOMB = `label: a\nclients: ${"[".repeat(5)}&a x${"]".repeat(5)}\nresources: [*a, *a]\n`;

test.each([
  [
    "a member that is none",
    "label: a\nclients:\n  - client_id: a\n    nme: b\n",
    /bad\.yaml:3:5: .*nme/,
  ],
  ["a member twice", "label: a\nlabel: b\n", /bad\.yaml:2:1: .*unique/],
  [
    "a client twice",
    JSON.stringify({ label: "a", clients: [billing, billing] }),
    /:1:\d+: billing stands twice/,
  ],
  ["an alias", BOMB, /aliases|expected/],
  ["a name of objects' own", "label: a\n__proto__: {x: 1}\n", /__proto__|nrecognized/],
  ["another encoding", Buffer.from("label: caf\u00E9\n", "latin1"), /not UTF-8/],
  [
    "a secret key",
    JSON.stringify({ label: "a", clients: [client("a", { keys: [{ ...JWK, d: "x" }] })] }),
    /: d: /,
  ],
  ["what is no mapping", "- a\n", /expected object/],
  ["a tag", "label: !!js/function a\n", /bad\.yaml:1:8/],
])("%s in a file is told with its place, and asks no server", async (_, content, words) => {
  await write("bad.yaml", content);
  const { code, stderr } = await daykey("plan bad.yaml", {
    env: { DAYKEY_ADMIN_URL: "http://127.0.0.1:9" },
  });
  expect([code, stderr]).toEqual([2, expect.stringMatching(words)]);
});

test("line ends of Windows and a byte order mark are no fault", async () => {
  await write("crlf.yaml", "\uFEFFlabel: empty\r\nclients: []\r\n");
  expect(await result("plan crlf.yaml")).toBe(
    "0 to create, 0 to change, 0 to remove, 0 unchanged\n",
  );
});
