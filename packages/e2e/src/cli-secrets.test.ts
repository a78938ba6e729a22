/** `daykey` against the real servers: secrets made elsewhere than on the server, and their ends. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fromCredentialFile } from "@daykey/client/credential-file";
import type { Outcome } from "@daykey/cli/test/run-daykey";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CommandLine, compact, startCommandLine } from "../test/daykey.ts";
import { ROOT, run } from "../test/stack.ts";

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

/** What the program asks of Kubernetes' API, of secrets alone. */
async function startKubernetes() {
  const secrets = new Map<string, { version: number; text: string }>();
  let isBusy = false;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const name = request.url?.replace("/api/v1/namespaces/daykey/secrets/", "") ?? "";
    const secret = secrets.get(name);
    let status = secret && request.headers.authorization === "Bearer account" ? 200 : 403;
    const sent = (await request.toArray()) as Buffer[];
    if (secret && request.method === "PATCH") {
      const { data, metadata } = JSON.parse(Buffer.concat(sent).toString()) as {
        data: Record<string, string>;
        metadata: { resourceVersion: string };
      };
      if (request.headers["content-type"] !== "application/merge-patch+json") status = 415;
      else if (isBusy || metadata.resourceVersion !== String(secret.version)) status = 409;
      else {
        const text = Buffer.from(data["credential.json"] ?? "", "base64").toString();
        secrets.set(name, { version: secret.version + 1, text });
      }
    }
    const { version, text } = secrets.get(name) ?? { version: 0, text: "" };
    const body =
      status === 200
        ? {
            metadata: { resourceVersion: String(version) },
            data: { "credential.json": Buffer.from(text).toString("base64"), other: "kept" },
          }
        : { message: status === 409 ? "the object has been modified" : "forbidden" };
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    text: (name: string) => secrets.get(name)?.text ?? "",
    put: (name: string, text: string) => void secrets.set(name, { version: 1, text }),
    setBusy: (busy: boolean) => void (isBusy = busy),
    stop: () => server.close(),
  };
}

test("in Kubernetes a job renews what ends within 60 days, and its own", MANY, async () => {
  const kubernetes = await startKubernetes();
  const account = join(line.folder, "account");
  await mkdir(account);
  await writeFile(join(account, "namespace"), "daykey\n");
  await writeFile(join(account, "token"), "account\n");
  const renew = async (clients: string, env: Record<string, string> = {}) => {
    const job = run(process.execPath, [join(ROOT, "deploy/kubernetes/renewal/renew.mjs")], {
      CLIENTS: clients,
      CREDENTIAL_FILE: join(line.folder, "renewal.json"),
      TOKEN_ENDPOINT: `${line.issuer}/oauth2/token`,
      DAYKEY_ADMIN_URL: line.adminUrl,
      DAYKEY: join(ROOT, "packages/cli/bin/daykey.mjs"),
      KUBERNETES_URL: kubernetes.url,
      ACCOUNT: account,
      HOME: account,
      ...env,
    });
    return { code: await job.ended, told: job.output() };
  };
  const add = async (id: string, command: string): Promise<string> => {
    await result(`clients create ${id} --name x ${command} --save ${id}.json`);
    const text = await readFile(join(line.folder, `${id}.json`), "utf8");
    kubernetes.put(id, text);
    return text;
  };
  const works = async (text: string): Promise<boolean> => {
    await writeFile(join(line.folder, "now.json"), text, { mode: 0o600 });
    return (await daykey("token --credential now.json")).code === 0;
  };
  const liveOf = async (id: string): Promise<number> => {
    const { items } = JSON.parse(await result(`secrets list ${id} --json`)) as {
      items: { live: boolean }[];
    };
    return items.filter(({ live }) => live).length;
  };
  const toTime = `--resource ${resource} --scope time:read`;
  await add("renewal", `--resource ${line.issuer} --scope daykey:admin --life 59d`);
  const before = await add("job", `${toTime} --life 59d`);
  await add("year", toTime);

  // Somebody changes the secret meanwhile: nothing is left of it, and the others are renewed.
  kubernetes.setBusy(true);
  expect(await renew("job year")).toEqual({
    code: 1,
    told: expect.stringMatching(
      /^job was not renewed: the secret job of Kubernetes: 409 the object has been modified\nyear: its secret \w{8} ends \S+\n$/,
    ) as string,
  });
  expect(await liveOf("job")).toBe(1);
  kubernetes.setBusy(false);

  // One that a run before lost is ended.
  await result("secrets rotate job --overlap 59d --save lost.json");
  const { code, told } = await renew("job year renewal", { LOST_AFTER_DAYS: "0" });
  expect([code, told]).toEqual([
    0,
    expect.stringMatching(
      /^job: the secret \w{8} follows \w{8}\nyear: its .*\nrenewal: the secret \w{8} follows \w{8}\n$/,
    ),
  ]);
  expect(kubernetes.text("job")).not.toBe(before);
  expect([await works(kubernetes.text("job")), await works(before)]).toEqual([true, true]);
  await writeFile(join(line.folder, "renewal.json"), kubernetes.text("renewal"));
  expect((await renew("job")).told).toMatch(/^job: its secret \w{8} ends /);

  // One that somebody may use is not ended; nor is what is another client's taken for one's own.
  kubernetes.put("job", before);
  expect(await renew("job gone")).toEqual({
    code: 1,
    told: expect.stringMatching(
      /^job was not renewed: it has another secret, \w{8}, which is new or used; put that one into the secret job, or revoke it\ngone was not renewed: the secret gone of Kubernetes: 403 forbidden\n$/,
    ) as string,
  });
  kubernetes.put("job", kubernetes.text("year"));
  expect((await renew("job")).told).toBe(
    "job was not renewed: the secret job of Kubernetes is of the client year\n",
  );
  expect(await liveOf("job")).toBe(2);
  kubernetes.stop();
});
