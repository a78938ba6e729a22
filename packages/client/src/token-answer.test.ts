/** Answers of a token endpoint, odd and hostile: what is taken, what is an error, what an error tells. */
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { client, credentialFile } from "../test/demo.ts";
import {
  createTime,
  type Reply,
  startTestServer,
  type TestServer,
  tokens,
} from "../test/test-server.ts";
import { type CredentialFileOptions, fromCredentialFile } from "./credential-file.ts";
import { DaykeyError } from "./errors.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

/** The error of a first call that is answered so. */
async function errorFor(
  behaviour: Parameters<TestServer["answer"]>[0],
  options: CredentialFileOptions = {},
): Promise<DaykeyError> {
  server.answer(behaviour);
  const { platform } = createTime();
  const source = await fromCredentialFile(credentialFile(server.url), { platform, ...options });
  const outcome: unknown = await source.token().catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(DaykeyError);
  return outcome as DaykeyError;
}

async function taken(changes: Record<string, unknown>): Promise<object> {
  server.answer(() => tokens(1, changes));
  const source = await fromCredentialFile(credentialFile(server.url), { scope: ["a", "b"] });
  const { value, scope } = await source.token();
  return { value, scope };
}

const html = { "content-type": "text/html" };
const json = { "content-type": "application/json" };
const good = JSON.stringify(tokens(1).body);

describe("taken", () => {
  test.each([
    [{ token_type: "bearer" }, { value: "access-1", scope: ["time:read"] }],
    [{ scope: undefined }, { value: "access-1", scope: ["a", "b"] }],
    [{ access_token: "a.b-c_d~e+f/g==" }, { value: "a.b-c_d~e+f/g==", scope: ["time:read"] }],
    [{ other: { deep: [1, null] } }, { value: "access-1", scope: ["time:read"] }],
  ])("%j", async (changes, expected) => {
    expect(await taken(changes)).toEqual(expected);
  });

  test("a media type with a parameter", async () => {
    const headers = { "content-type": "Application/JSON; charset=utf-8" };
    server.answer(() => ({ body: good, headers }));
    const source = await fromCredentialFile(credentialFile(server.url));
    expect((await source.token()).value).toBe("access-1");
  });
});

describe("invalid_response", () => {
  test.each([
    { access_token: undefined },
    { access_token: "" },
    { access_token: 1 },
    { access_token: ["access-1"] },
    { access_token: "access 1" },
    { access_token: "access\r\nX-Evil: 1" },
    { token_type: undefined },
    { token_type: "DPoP" },
    { token_type: null },
    { expires_in: undefined },
    { expires_in: "600" },
    { expires_in: 0 },
    { expires_in: -1 },
    { expires_in: 600.5 },
    { expires_in: 1e300 },
    { expires_in: 400 * 86_400 + 1 },
    { expires_in: true },
    { refresh_token: null },
    { refresh_token: "" },
    { refresh_token: "dkr1.é" },
    { refresh_token: 7 },
    { scope: null },
    { scope: "" },
    { scope: "a  b" },
    { scope: ["a"] },
  ])("%j", async (changes) => {
    expect((await errorFor(() => tokens(1, changes))).code).toBe("invalid_response");
  });

  test.each<[string, Reply]>([
    ["no JSON", { body: "access_token=1", headers: json }],
    ["another media type", { body: good, headers: html }],
    ["no media type", { body: good }],
    ["an array", { body: [tokens(1).body] }],
    ["null", { body: "null", headers: json }],
    ["nothing", { headers: json }],
    ["a name twice", { body: good.replace("{", '{"access_token":"other",'), headers: json }],
    ["nested nine deep", { body: `{"a":${"[".repeat(9)}${"]".repeat(9)}}`, headers: json }],
    ["cut short", { body: good.slice(0, -1), headers: json }],
    ["201", { ...tokens(1), status: 201 }],
    ["204", { status: 204 }],
    ["a redirect", { status: 307, headers: { location: "/oauth2/token" } }],
    ["64 KiB", { body: `${good}${" ".repeat(64 * 1024)}`, headers: json }],
  ])("%s", async (_, reply) => {
    const before = server.requests.length;
    expect((await errorFor(() => reply)).code).toBe("invalid_response");
    expect(server.requests.length).toBe(before + 1);
  });

  test("bytes that are not UTF-8", async () => {
    const fetch = async (): Promise<Response> =>
      new Response(Buffer.from(good.replace("{", '{"x":"\u00ff",'), "latin1"), { headers: json });
    const error = await errorFor(() => tokens(1), {
      platform: { ...createTime().platform, fetch },
    });
    expect(error.code).toBe("invalid_response");
  });

  test("an endless body is not read on", async () => {
    let pulled = 0;
    const endless = (): ReadableStream =>
      new ReadableStream({
        pull(controller) {
          pulled += 1;
          controller.enqueue(new Uint8Array(1024).fill(0x20));
        },
      });
    const fetch = async (): Promise<Response> => new Response(endless(), { headers: json });
    const error = await errorFor(() => tokens(1), {
      platform: { ...createTime().platform, fetch },
    });
    expect([error.code, pulled < 80]).toEqual(["invalid_response", true]);
  });
});

describe("token_endpoint", () => {
  test("tells status, error, description and Retry-After", async () => {
    const body = { error: "slow_down", error_description: "Later." };
    const error = await errorFor(() => ({ status: 429, body, headers: { "retry-after": "7" } }));
    expect(error.toJSON()).toEqual({
      name: "DaykeyError",
      code: "token_endpoint",
      message: "The token endpoint answered 429 (slow_down)",
      status: 429,
      oauthError: "slow_down",
      description: "Later.",
      retryAfterSeconds: 7,
    });
  });

  test.each<Reply>([
    { status: 404, body: "<html>", headers: html },
    { status: 400, body: { error: 7, error_description: ["x"] } },
    { status: 400, body: { error: "a\u001b[31m", error_description: "a\nb" } },
    { status: 400, body: { error: "e".repeat(65), error_description: "d".repeat(301) } },
    { status: 400, body: "{", headers: json },
  ])("keeps nothing that is not in the grammar (RFC 6749 §5.2): %j", async (reply) => {
    const { code, status, oauthError, description } = await errorFor(() => reply);
    expect({ code, status, oauthError, description }).toEqual({
      code: "token_endpoint",
      status: reply.status,
      oauthError: undefined,
      description: undefined,
    });
  });

  test.each(["client_secret_post", "client_secret_basic", "client_secret_hash_once"] as const)(
    "L1: a server that sends back what it got puts it into no error (%s)",
    async (method) => {
      let echoed = "";
      const error = await errorFor(
        ({ form, headers }) => {
          const { client_secret, client_secret_hash } = form;
          echoed = client_secret ?? client_secret_hash ?? String(headers.authorization);
          return { status: 401, body: { error: "invalid_client", error_description: echoed } };
        },
        { method },
      );
      expect(echoed.length).toBeGreaterThan(60);
      const shown = [inspect(error, { depth: 9 }), JSON.stringify(error), String(error)].join("\n");
      expect(shown).not.toContain(echoed);
      expect(shown).not.toContain(client.client_secret);
      expect(error.oauthError).toBe("invalid_client");
    },
  );
});

test("no connection is `network`, with its cause", async () => {
  const closed = await startTestServer();
  await closed.stop();
  const source = await fromCredentialFile(credentialFile(closed.url), createTime());
  await expect(source.token()).rejects.toMatchObject({
    code: "network",
    cause: { cause: { code: "ECONNREFUSED" } },
  });
});

test("an answer that breaks off is `network`", async () => {
  const headers = { ...json, "content-length": "1000", connection: "close" };
  expect((await errorFor(() => ({ body: good, headers }))).code).toBe("network");
});

test("no answer in time is `timeout`", async () => {
  const error = await errorFor(() => "hang", { timeoutSeconds: 0.05 });
  expect(error.code).toBe("timeout");
});
