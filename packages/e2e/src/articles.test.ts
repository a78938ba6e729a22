/**
 * The clients' programs of the five articles that Daykey grew from, re-created in `articles/` with only
 * address and credential changed, against `npm start`.
 */
import { execFile, spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CommandLine, startCommandLine } from "../test/daykey.ts";
import { type CredentialFile, ROOT } from "../test/stack.ts";

const ARTICLES = join(ROOT, "packages/e2e/articles");
const NUMBER = "172983479832623897492387592384682937659382477";

const hasRequests = spawnSync("python3", ["-c", "import requests"]).status === 0;
if (!hasRequests) {
  console.warn("SKIPPED: the articles' programs in Python need python3 with requests");
}

let stack: CommandLine;
let client: CredentialFile;
let adminToken: string;
beforeAll(async () => {
  stack = await startCommandLine();
  const file = join(stack.place.home, "article.json");
  await stack.result(
    `clients create article --name Article --resource ${stack.resource} --scope time:read primes:check ` +
      `--form seed day basic post key --refresh --save ${file}`,
  );
  client = await stack.place.credential("article.json");
  const adminFile = join(stack.place.home, "admin-client.json");
  adminToken = (
    await stack.result(`token --credential ${adminFile} --resource ${stack.issuer}`)
  ).trim();
});
afterAll(() => stack?.stop());

/** POST to the admin API for the article's client. */
async function make(path: string, body: object): Promise<Record<string, string>> {
  const response = await fetch(`${stack.adminUrl}/admin/v1/clients/article/${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  expect(response.status, path).toBe(201);
  return (await response.json()) as Record<string, string>;
}

const apiKey = async (): Promise<string> =>
  (await make("api-keys", { name: "an article's" }))["api_key"] ?? "";

/** What a program prints; it must succeed. */
async function run(program: string, env: Record<string, string>): Promise<string> {
  const command = program.endsWith(".py") ? "python3" : "sh";
  const { stdout } = await promisify(execFile)(command, [join(ARTICLES, program)], {
    env: { PATH: process.env["PATH"] ?? "", ADDRESS: stack.resource, ISSUER: stack.issuer, ...env },
  });
  return stdout;
}

const secret = (): Record<string, string> => ({
  CLIENT_ID: client.client_id,
  CLIENT_SECRET: client.client_secret,
  SALT: client.salt,
});

test("1: a header with a key: 401 without, 200 with it", async () => {
  const env = { ADDRESS: `${stack.resource}/time`, API_KEY: await apiKey() };
  const output = await run("1-api-key.sh", env);
  expect(output.match(/^HTTP\/1.1 \d+/gm)).toEqual(["HTTP/1.1 401", "HTTP/1.1 200"]);
  expect(output).toMatch(/\{"time":"[^"]+Z",.*\}\n$/);
});

describe.skipIf(!hasRequests)("in Python", () => {
  test("2: the key bare in Authorization, five times a day", async () => {
    const API_KEY = await apiKey();
    expect(await run("2-current-time.py", { API_KEY })).toMatch(
      /^Current time received from the API: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n$/,
    );
    const answer = `{'number': ${NUMBER}, 'isPrime': False}\n`;
    // With the one above, five calls a day of this key.
    for (let i = 0; i < 4; i++) expect(await run("2-check-prime.py", { API_KEY })).toBe(answer);
    const exceeded = "{'error': 'Request limit exceeded. Please try again later.'}\n";
    expect(await run("2-check-prime.py", { API_KEY })).toBe(exceeded);
    const wrong = { API_KEY: "12345" };
    expect(await run("2-current-time.py", wrong)).toBe('Error: 401 {"error":"Unauthorized"}\n');
    expect(await run("2-check-prime.py", wrong)).toBe("{'error': 'Unauthorized'}\n");
  });

  test("3: Flask-HMAC's signature, and the one of RFC 9421", async () => {
    const key = await make("signature-keys", { name: "a service", algorithm: "hmac-sha256" });
    const env = { SERVICE: key["id"] ?? "", HMAC_KEY: key["secret"] ?? "" };
    expect((await run("3-flask-hmac.py", env)).split("\n")).toEqual([
      "without payload: 200",
      "with payload: 200",
      "with another payload: 401",
      "",
    ]);
    expect((await run("3-http-signature.py", env)).split("\n")).toEqual([
      "without payload: 200",
      "again: 401",
      "with another payload: 401",
      "with payload: 200 True",
      "",
    ]);
  });

  test("4: the tour of ways", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    await make("keys", { jwk: publicKey.export({ format: "jwk" }) });
    const PRIVATE_KEY = join(stack.folder, "private.pem");
    await writeFile(PRIVATE_KEY, privateKey.export({ type: "pkcs8", format: "pem" }), {
      mode: 0o600,
    });
    const issued = "200 ['access_token', 'expires_in', 'refresh_token', 'scope', 'token_type']";
    const served = "200 ['epoch_seconds', 'local', 'time', 'zone']";
    expect((await run("4-tour.py", { ...secret(), PRIVATE_KEY })).split("\n")).toEqual([
      `Basic: ${issued}`,
      "Digest: not served",
      `OAuth: ${served}`,
      `JSON Web Token: ${issued}`,
      `  and with what it bought: ${served}`,
      `HMAC: ${issued}`,
      "",
    ]);
  });

  test("5: the hash of date and salt, a token for it, and its refresh", async () => {
    const file = join(stack.place.home, "article.json");
    expect(await stack.result(`token --form seed --credential ${file}`)).toMatch(/^eyJ/);
    expect((await run("5-rest-requests.py", secret())).split("\n")).toEqual([
      'refused: 401 {"status":0,"data":{},"err_code":1001,"err_mesg":"Not Authorized","err_desc":"Client authentication failed."}',
      'refused: 400 {"status":0,"data":{},"err_code":1003,"err_mesg":"Missing field","err_desc":"client_secret_hash"}',
      "201 1 0 ['expires_on', 'refresh_token', 'token']",
      "200 ['epoch_seconds', 'local', 'time', 'zone']",
      "refreshed: 200 200",
      "",
    ]);
  });
});
