/** From a credential file to a source: what is taken, taken up anew, and refused. */
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { client, credentialFile } from "../test/demo.ts";
import {
  createTime,
  startTestServer,
  type TestServer,
  type TestTime,
  tokens,
} from "../test/test-server.ts";
import { type CredentialFile, fromCredentialFile } from "./credential-file.ts";

let time: TestTime;
let server: TestServer;
let file: CredentialFile;
beforeEach(async () => {
  time = createTime();
  server = await startTestServer(time);
  server.answer((_, count) => tokens(count, { refresh_token: undefined }));
  file = credentialFile(server.url);
});
afterEach(() => server.stop());

test.each([
  ["parsed", () => file],
  ["text", () => JSON.stringify(file, null, 2)],
  ["a function of text", () => () => JSON.stringify(file)],
  ["an asynchronous one", () => async () => file],
])("the file is given as %s", async (_, give) => {
  const source = await fromCredentialFile(give(), time);
  expect(source.resource).toBe("https://api.example.com");
  expect((await source.token()).value).toBe("access-1");
});

test.each([
  ["client_secret_hash_once", { client_secret_hash: expect.stringMatching(/^k3f9a1c2\./) }],
  [
    "client_secret_hash_day",
    { client_secret_hash: "4055bf5e50be6bc56613bd52b5e95cb8416e93cc2809409b38f64c1d532e313c" },
  ],
  ["client_secret_post", { client_secret: client.client_secret }],
] as const)("%s", async (method, expected) => {
  await (await fromCredentialFile(file, { ...time, method })).token();
  expect(server.requests[0]?.form).toMatchObject({ client_id: "billing-cron", ...expected });
});

test("client_secret_basic", async () => {
  await (await fromCredentialFile(file, { ...time, method: "client_secret_basic" })).token();
  expect(server.requests[0]?.headers.authorization).toMatch(/^Basic /);
  expect(server.requests[0]?.form).toEqual({
    grant_type: "client_credentials",
    resource: "https://api.example.com",
  });
});

test("another resource and scope may be asked for", async () => {
  const options = { ...time, resource: "https://other.example.com", scope: ["other:write"] };
  const source = await fromCredentialFile(file, options);
  await source.token();
  expect(source.resource).toBe("https://other.example.com");
  expect(server.requests[0]?.form).toMatchObject({
    resource: "https://other.example.com",
    scope: "other:write",
  });
});

test("a rotated secret is taken up with the next token", async () => {
  const source = await fromCredentialFile(() => JSON.stringify(file), time);
  await source.token();
  file.client_secret = "dks_b7c8d9e0_7cMxemzhJjkW31yzTx5H07wJF2A2uBEOEec26ubYMsJ_2rZ7R4";
  time.now += 600;
  await source.token();
  const kids = server.requests.map(({ form }) => form["client_secret_hash"]?.split(".")[0]);
  expect(kids).toEqual(["k3f9a1c2", "b7c8d9e0"]);
});

describe("credential", () => {
  test.each([
    ["no JSON", "issuer=x"],
    ["an array", "[]"],
    ["null", "null"],
    ["nothing", ""],
    ["a name twice", '{"issuer":"a","issuer":"b"}'],
    ["a JSON text", '"text"'],
  ])("%s", async (_, text) => {
    await expect(fromCredentialFile(text)).rejects.toMatchObject({ code: "credential" });
  });

  test.each([
    "issuer",
    "client_id",
    "client_secret",
    "salt",
    "resource",
    "token_endpoint",
  ] as const)("%s of another type", async (name) => {
    const wrong = JSON.stringify({ ...file, [name]: 7 });
    await expect(fromCredentialFile(wrong)).rejects.toMatchObject({
      code: "credential",
      message: expect.stringContaining(name),
    });
  });

  test("a file that becomes another client's", async () => {
    const source = await fromCredentialFile(() => JSON.stringify(file), time);
    file.client_id = "other";
    await expect(source.token()).rejects.toMatchObject({ code: "credential" });
    expect(server.requests).toEqual([]);
  });

  test("L1: a file that is cut is not quoted", async () => {
    const cut = JSON.stringify(file).slice(0, -1);
    const error: unknown = await fromCredentialFile(cut).catch((e: unknown) => e);
    expect(inspect(error, { depth: 9 })).not.toContain("dks_");
    expect(error).toMatchObject({ code: "credential" });
  });
});

test.each(["issuer", "token_endpoint"] as const)(
  "insecure_url: plain http leaves the machine only if it is allowed (%s)",
  async (name) => {
    const far = { ...file, [name]: "http://auth.example.com" };
    await expect(fromCredentialFile(far)).rejects.toMatchObject({ code: "insecure_url" });
    await fromCredentialFile(far, { allowInsecureRequests: true });
    const ftp = { ...file, [name]: "ftp://auth.example.com" };
    const attempt = fromCredentialFile(ftp, { allowInsecureRequests: true });
    await expect(attempt).rejects.toMatchObject({ code: "insecure_url" });
  },
);

test.each(["http://localhost:4000", "http://127.1", "http://[::1]:1", "https://auth.example.com"])(
  "secrets may go to %s",
  async (issuer) => {
    const token_endpoint = `${issuer}/oauth2/token`;
    const source = fromCredentialFile({ ...file, issuer, token_endpoint });
    await expect(source).resolves.toBeDefined();
  },
);

test.each([
  "http://127.0.0.1.example.com",
  "http://localhost.example.com",
  "http://10.0.0.1",
  "http://[::2]",
  "ws://localhost",
  "https://user@auth.example.com",
])("secrets may not go to %s", async (issuer) => {
  await expect(fromCredentialFile({ ...file, issuer })).rejects.toMatchObject({
    code: "insecure_url",
  });
});
