/** What servers may answer, and how the program ends then. */
import { createServer, type RequestListener, type Server } from "node:http";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDesk, type Desk, type Outcome } from "../test/run-daykey.ts";

const TOKEN = "canary-token-that-nobody-may-see";
const SECRET = "dks_k3f9a1c2_3oDH4mEVFvp7u7ED6UzpF5eHPrBI5AHumY7UBpOQIJz_0k1H3W";

let desk: Desk;
let server: Server;
let url: string;
let answer: RequestListener;
beforeEach(async () => {
  desk = await createDesk();
  server = createServer((request, response) => answer(request, response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const credential = {
    issuer: url,
    token_endpoint: `${url}/oauth2/token`,
    resource: url,
    client_id: "billing",
    client_secret: SECRET,
    salt: "00112233445566778899aabbccddeeff",
  };
  const options = { mode: 0o600 };
  await writeFile(join(desk.folder, "billing.json"), JSON.stringify(credential), options);
  await writeFile(join(desk.folder, "token"), TOKEN, options);
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await desk.remove();
});

function reply(status: number, headers: Record<string, string>, body: string): void {
  answer = (_, response) => response.writeHead(status, headers).end(body);
}

const time = (...args: string[]): Promise<Outcome> =>
  desk.run(["time", "--credential", "billing.json", "--token-file", "token", ...args]);

const PROBLEM = { "content-type": "application/problem+json" };

test.each<[number, Record<string, string>, string, Outcome]>([
  [
    401,
    PROBLEM,
    '{"title":"Unauthorized","detail":"The token has ended."}',
    {
      code: 1,
      stdout: "",
      stderr:
        "daykey: Unauthorized: The token has ended (401 from GET /time)\nThe token is not accepted: it has ended, was revoked, or is for another server.\n",
    },
  ],
  [
    403,
    PROBLEM,
    '{"title":"Forbidden"}',
    {
      code: 1,
      stdout: "",
      stderr:
        "daykey: Forbidden (403 from GET /time)\nThe token does not have the scope for this.\n",
    },
  ],
  [
    404,
    {},
    '{"error":"invalid_request","error_description":"Not Found"}',
    {
      code: 1,
      stdout: "",
      stderr:
        "daykey: invalid_request: Not Found (404 from GET /time)\nThere is no such path: is it that server's address?\n",
    },
  ],
  [
    404,
    PROBLEM,
    '{"title":"There is no such client"}',
    { code: 1, stdout: "", stderr: "daykey: There is no such client (404 from GET /time)\n" },
  ],
  [
    503,
    { ...PROBLEM, "retry-after": "7" },
    '{"title":"Busy"}',
    { code: 3, stdout: "", stderr: "daykey: Busy (503 from GET /time)\nTry again in 7 s.\n" },
  ],
  [
    429,
    {},
    "",
    { code: 3, stdout: "", stderr: "daykey: GET /time answered 429\nTry again later.\n" },
  ],
  [
    200,
    { "content-type": "text/html" },
    "<h1>hello</h1>",
    {
      code: 1,
      stdout: "",
      stderr:
        "daykey: GET /time answered something that is not JSON\nIs the address that of a Daykey server?\n",
    },
  ],
])("an answer %d is told in words, with its exit code", async (status, headers, body, outcome) => {
  reply(status, headers, body);
  expect(await time()).toEqual(outcome);
});

test("with --json a refusal is JSON on standard error, with what was answered", async () => {
  reply(403, PROBLEM, '{"title":"Forbidden","status":403}');
  const { code, stdout, stderr } = await time("--json");
  expect([code, stdout]).toEqual([1, ""]);
  expect(JSON.parse(stderr)).toEqual({
    error: {
      message: "Forbidden (403 from GET /time)",
      hint: "The token does not have the scope for this.",
      exit_code: 1,
      answer: { title: "Forbidden", status: 403 },
    },
  });
});

test("what a server writes does not steer the terminal", async () => {
  reply(403, PROBLEM, '{"title":"a\\u202Eb\\u2028c"}');
  expect((await time()).stderr).toContain("daykey: a\uFFFDb\uFFFDc (403");
  reply(403, PROBLEM, '{"title":"\\u001B[31mred"}');
  expect((await time()).stderr).toMatch(/^daykey: GET \/time answered 403\n/);
});

test("a connection that is cut, or none, is exit code 3 and no stack", async () => {
  answer = (request) => request.socket.destroy();
  const cut = await time();
  server.close();
  server.closeAllConnections();
  const none = await time();
  for (const { code, stdout, stderr } of [cut, none]) {
    expect([code, stdout]).toEqual([3, ""]);
    expect(stderr).toMatch(/^daykey: The resource-server at \S+ cannot be reached \(\w+\)\n/);
    expect(stderr).not.toContain("    at ");
  }
});

test("a proxy of the environment is used, and never for this machine itself", async () => {
  const seen: string[] = [];
  reply(404, {}, "");
  server.on("connect", ({ url: place = "" }, socket) => {
    seen.push(place);
    socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  });
  const env = { HTTP_PROXY: url, HTTPS_PROXY: url };
  const args = ["time", "--credential", "billing.json", "--token-file", "token"];
  args.push("--allow-http", "--resource");
  await desk.run([...args, "http://daykey.example"], { env });
  expect(seen).toEqual(["daykey.example:80"]);
  await desk.run([...args, "http://daykey.example"], { env: { ...env, NO_PROXY: "*" } });
  await desk.run([...args, "http://daykey.example"], { env: { ...env, NO_PROXY: ".example" } });
  expect(seen.length).toBe(1);
  expect((await desk.run([...args, url], { env: { HTTP_PROXY: "http://127.0.0.1:9" } })).code).toBe(
    1,
  );
  const wrong = await desk.run([...args, url], { env: { HTTPS_PROXY: "not a url" } });
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("HTTPS_PROXY")]);
}, 60_000);

test("help shows the commands, and how one is used", async () => {
  for (const args of [["help"], ["--help"]]) {
    const { code, stdout } = await desk.run(args);
    expect([code, stdout]).toEqual([0, expect.stringContaining("For an operator:")]);
  }
  const { code, stdout } = await desk.run(["help", "revoke"]);
  expect([code, stdout]).toEqual([0, expect.stringContaining("Usage: daykey revoke")]);
});

test.each([
  [{ FORCE_COLOR: "1" }, true],
  [{ FORCE_COLOR: "1", NO_COLOR: "1" }, false],
  [{}, false],
] as [Record<string, string>, boolean][])("colours where they are wanted: %j", async (env, has) => {
  const { stderr } = await desk.run(["hash", "--credential", "gone.json"], { env });
  expect(stderr.includes("\u001B[31m")).toBe(has);
});

test("a redirect is not followed: it would take the token along", async () => {
  const seen: string[] = [];
  answer = ({ url: path = "" }, response) => {
    seen.push(path);
    response.writeHead(307, { location: "/elsewhere" }).end();
  };
  expect((await time()).code).toBe(3);
  expect(seen).toEqual(["/time?zone=UTC"]);
});

test("a clock that is off is corrected by the server's Date, and told", async () => {
  // More than an hour is not corrected.
  const date = new Date(Date.now() + 59 * 60_000).toUTCString();
  const days: string[] = [];
  answer = (request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const [, when = ""] = new URLSearchParams(body).get("client_secret_hash")?.split(".") ?? [];
      days.push(when);
      const isRight = Math.abs(Date.parse(when) - Date.parse(date)) < 60_000;
      const headers = { date, "content-type": "application/json" };
      if (!isRight) response.writeHead(401, headers).end('{"error":"invalid_client"}');
      else response.writeHead(200, headers).end('{"access_token":"at","token_type":"Bearer"}');
    });
  };
  expect(await desk.run(["token", "--credential", "billing.json"])).toEqual({
    code: 0,
    stdout: "at\n",
    stderr: "This machine's clock is 59 min behind the server's.\n",
  });
  expect(days.length).toBe(2);
});

test("doctor looks at the admin API that admin commands would use", async () => {
  reply(404, {}, "");
  const told = await readFile(join(desk.folder, "billing.json"), "utf8");
  const admin = { ...(JSON.parse(told) as object), admin_url: "http://127.0.0.1:9" };
  const options = { mode: 0o600 };
  await mkdir(join(desk.folder, ".daykey"));
  await writeFile(join(desk.folder, ".daykey/demo-client.json"), told, options);
  await writeFile(join(desk.folder, ".daykey/admin-client.json"), JSON.stringify(admin), options);
  const { stdout } = await desk.run(["doctor"]);
  // It does not send to itself.
  expect(stdout).not.toContain("daykey doctor");
  expect(stdout).toContain("skipped  admin API    http://127.0.0.1:9 cannot be reached");
});

test("neither secret nor token is shown in any of it", async () => {
  answer = ({ headers, url: path }, response) => {
    const echo = JSON.stringify({ path, authorization: headers.authorization });
    response.writeHead(400, { "content-type": "application/json" }).end(echo);
  };
  const { stdout, stderr } = await time();
  expect(stdout + stderr).not.toContain(TOKEN);
  expect(stdout + stderr).not.toContain(SECRET);
});

test.each([
  [
    "nobody to ask",
    ["clients", "delete", "billing"],
    "daykey: This cannot be undone, and there is nobody to ask\nAdd --yes to do it.\n",
  ],
  ["no whole number", ["prime", "1e3"], 'daykey: "1e3" is not a whole number\n'],
  [
    "a number that is too large",
    ["prime", "9".repeat(1300)],
    "daykey: The number has more than 4096 bits\n",
  ],
  [
    "no token on standard input",
    ["introspect"],
    "daykey: The token is expected on standard input\nIt is never an argument.\n",
  ],
  [
    "two credentials",
    ["hash", "--credential", "a", "--profile", "b"],
    "daykey: --credential and --profile are both given; give one\n",
  ],
])("a command line that cannot be used is exit code 2: %s", async (_, args, stderr) => {
  expect(await desk.run(args)).toEqual({ code: 2, stdout: "", stderr });
});
