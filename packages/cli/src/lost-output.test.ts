/** Output that cannot be written: what is shown once is not lost, and no exit code says that all is well. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDesk, type Desk } from "../test/run-daykey.ts";

const PROGRAM = fileURLToPath(new URL("../bin/daykey.mjs", import.meta.url));
const SECRET = "dks_k3f9a1c2_3oDH4mEVFvp7u7ED6UzpF5eHPrBI5AHumY7UBpOQIJz_0k1H3W";
const SALT = "00112233445566778899aabbccddeeff";
const ENDS = "2027-01-01T00:00:00Z";

let desk: Desk;
let server: Server;
let asked: string[];
/** What a client has. */
let ended: object[];
/** Runs when something is made. */
let onMade: () => void;
beforeEach(async () => {
  desk = await createDesk();
  asked = [];
  ended = [];
  onMade = () => {};
  server = createServer((request, response) => {
    const { method, url = "" } = request;
    request.resume();
    if (method === "POST" && !/revoke|oauth2/.test(url)) onMade();
    if (url.startsWith("/admin")) asked.push(`${method} ${url}`);
    response.writeHead(method === "POST" && url.endsWith("/revoke") ? 204 : 200, {
      "content-type": "application/json",
    });
    response.end(url.endsWith("/revoke") ? undefined : JSON.stringify(answerTo(method, url)));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const credential = {
    issuer: url,
    token_endpoint: `${url}/oauth2/token`,
    client_id: "admin",
    client_secret: SECRET,
    salt: SALT,
    admin_url: url,
  };
  const mode = { mode: 0o600 };
  await writeFile(join(desk.folder, "admin.json"), JSON.stringify(credential), mode);
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await desk.remove();
});

function answerTo(method: string | undefined, url: string): object {
  if (url === "/oauth2/token") {
    return { access_token: "at", token_type: "Bearer", expires_in: 600 };
  }
  const secret = { client_id: "billing", kid: "k3f9a1c2", salt: SALT, expires_at: ENDS };
  if (method === "GET" && /\/(secrets|keys|api-keys|signature-keys)$/.test(url)) {
    return { items: ended };
  }
  if (url.endsWith("/secrets")) return { ...secret, client_secret: SECRET };
  if (url.endsWith("/api-keys")) {
    const key = { id: "0tp1eti4qicx", client_id: "billing", resource: "r", scopes: ["a"] };
    return { ...key, expires_at: null, api_key: "dkk_0tp1eti4qicx_x" };
  }
  if (url.endsWith("/audit/verify")) return { valid: false, first_bad_seq: 1, reason: "changed" };
  const client = { client_id: "billing", resources: ["r"] };
  return url.endsWith("/clients")
    ? { client, secret: { ...secret, client_secret: SECRET } }
    : client;
}

/** As a shell runs it. */
function shell(line: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: desk.folder,
    DAYKEY_CREDENTIAL_FILE: "admin.json",
  };
  const text = line.replaceAll("daykey", `"${process.execPath}" "${PROGRAM}"`);
  return new Promise((resolve) => {
    execFile("bash", ["-c", text], { cwd: desk.folder, env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
    });
  });
}

/** With a standard output whose reader goes at once, or when something was made. */
async function unread(
  line: string,
  when: "at once" | "then",
): Promise<{ code: number | null; stderr: string }> {
  const env = { HOME: desk.folder, DAYKEY_CREDENTIAL_FILE: "admin.json" };
  const child = spawn(process.execPath, [PROGRAM, ...line.split(" ")], { cwd: desk.folder, env });
  if (when === "at once") child.stdout.destroy();
  else onMade = () => child.stdout.destroy();
  child.stdin.end();
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stderr };
}

const ONCE = [
  "secrets rotate billing",
  "secrets rotate billing --json",
  "secrets rotate billing --local",
  "api-keys create billing --name x",
  "clients create billing --name x --resource r --scope a",
];

test.each(
  ONCE.flatMap((line) => ["> /dev/full", "> /dev/null", ">&-"].map((to) => `daykey ${line} ${to}`)),
)("nothing is made where it is known that nobody would see it: %s", async (line) => {
  const { code, stderr } = await shell(line);
  expect(stderr).toMatch(/Nothing was done: standard output (cannot|goes)/);
  expect(code).toBe(74);
  expect(asked.filter((request) => request.startsWith("POST"))).toEqual([]);
});

test.each(ONCE)("what was made and not shown is ended, and told: %s", async (line) => {
  const { code, stderr } = await unread(line, "then");
  expect(code).toBe(74);
  expect(stderr).toMatch(
    /The (secret|key) \w+ of billing was made but could not be shown \(EPIPE\)/,
  );
  expect(stderr).toContain("so it was ended");
  expect(stderr).not.toContain(SECRET);
  expect(asked.at(-1)).toMatch(/^POST \S+\/(k3f9a1c2|0tp1eti4qicx)\/revoke$/);
});

test("a file that cannot be written is told before anything is made, with its remedy", async () => {
  await mkdir(join(desk.folder, "folder"));
  const gone = await shell("daykey secrets rotate billing --save gone/x.json");
  expect([gone.code, gone.stdout]).toEqual([5, ""]);
  expect(gone.stderr).toContain("gone/x.json cannot be written (ENOENT)\nThere is no folder gone");
  expect(asked.filter((request) => request.startsWith("POST"))).toEqual([]);
});

test("a file that is a link is written through, and no draft is left", async () => {
  await mkdir(join(desk.folder, "real"));
  await shell("ln -s real/billing.json billing.json; echo '{}' > real/other; true");
  const { code } = await shell("daykey secrets rotate billing --save billing.json");
  expect(code).toBe(0);
  expect((await readdir(desk.folder)).toSorted()).toContain("billing.json");
  expect(await readdir(join(desk.folder, "real"))).toEqual(["billing.json", "other"]);
  const kept = await readFile(join(desk.folder, "real/billing.json"), "utf8");
  expect(JSON.parse(kept)).toMatchObject({ client_secret: SECRET });
});

test.each([
  ["clients show billing --json", 74],
  ["clients disable billing --yes --json", 74],
  ["--help", 74],
  ["--version", 74],
  ["completion bash", 74],
  ["audit verify --json", 4],
])(
  "a result that cannot be written is no success, and no verdict gets better: %s",
  async (line, code) => {
    const full = await shell(`daykey ${line} > /dev/full`);
    expect(full.code).toBe(code);
    const both = await shell(`daykey ${line} > /dev/full 2> /dev/full`);
    expect(both.code).toBe(code);
  },
);

test.each([
  ["--help", 0],
  ["audit verify --json", 4],
])("a reader that has gone changes no verdict: %s", async (line, code) => {
  expect((await unread(line, "at once")).code).toBe(code);
});

test.each([
  "-tkz9Zk1cDnqf0vK8b5XQ3mJw7uHs2LrYpA6eGiNoE4",
  "--z9Zk1cDnqf0vK8b5XQ3mJw7uHs2LrYpA6eGiNoE4",
])("an id that begins with a dash is an id: %s", async (kid) => {
  for (const line of [`keys revoke ${kid} --yes`, `keys revoke --yes -- ${kid}`]) {
    expect((await shell(`daykey ${line}`)).code).toBe(0);
    expect(asked.at(-1)).toBe(`POST /admin/v1/keys/${kid}/revoke`);
  }
  expect((await shell(`daykey client-keys revoke billing ${kid} --yes`)).code).toBe(0);
  expect(asked.at(-1)).toBe(`POST /admin/v1/clients/billing/keys/${kid}/revoke`);
  expect((await shell("daykey keys revoke k1 --yse")).code).toBe(2);
});

test.each([
  ["an API key", "dkk_0tp1eti4qicx_abcdef", "daykey api-keys revoke CLIENT 0tp1eti4qicx"],
  ["a secret", SECRET, "daykey secrets revoke CLIENT k3f9a1c2"],
  ["garbage", "garbage", "whole and alone"],
])("revoke ends nothing for what is no token, and says so: %s", async (_, input, advice) => {
  const { code, stdout, stderr } = await desk.run(["revoke", "--credential", "admin.json"], {
    input,
  });
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toContain("Nothing was ended");
  expect(stderr).toContain(advice);
});

const ENDED = { id: "0tp1eti4qicx", kid: "0tp1eti4qicx", expires_at: ENDS, live: false };

test.each([
  ["secrets", { ...ENDED, revoked_at: ENDS }, "was revoked before"],
  ["secrets", { ...ENDED, revoked_at: null }, "had ended by itself before"],
  ["client-keys", { kid: ENDED.kid, revoked_at: ENDS }, "was revoked before"],
  ["api-keys", { ...ENDED, revoked_at: ENDS }, "was revoked before"],
  ["api-keys", { ...ENDED, revoked_at: null }, "had ended by itself before"],
  ["signature-keys", { ...ENDED, revoked_at: ENDS }, "was revoked before"],
])("what had ended already is not said to be revoked now: %s", async (kind, before, text) => {
  ended = [before];
  const { code, stdout, stderr } = await shell(`daykey ${kind} revoke billing ${ENDED.kid} --yes`);
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toContain(`${ENDED.kid} ${text}, at ${ENDS}`);
  expect(asked.at(-1)).toMatch(/^POST \S+\/revoke$/);
});

test.each(["create billing --name x", "rotate billing 0tp1eti4qicx"])(
  "no key file is written without the half that signs: %s",
  async (line) => {
    ended = [{ ...ENDED, algorithm: "ed25519" }];
    const to = "--jwk-file public.jwk --save key.json";
    const { code, stderr } = await shell(`daykey signature-keys ${line} ${to}`);
    expect(stderr).toContain("--save writes the half that signs");
    expect(code).toBe(2);
    expect(asked.filter((request) => request.startsWith("POST"))).toEqual([]);
    expect(await readdir(desk.folder)).not.toContain("key.json");
  },
);
