/** The credential file of a server that runs: what is renewed in it counts without a restart. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { webHash } from "@daykey/client/web-hash";
import { formatSecret, secretBody } from "@daykey/common/secret-hash";
import type { OwnCredential } from "@daykey/guard/tokens/own-client";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sendJson } from "../test/auth-server.ts";
import { ISSUER, startResourceServer, type TestResourceServer } from "../test/resource-server.ts";
import { until } from "../test/until.ts";

const NEXT: OwnCredential = {
  clientId: "resource-server-2",
  clientSecret: await formatSecret(webHash, secretBody("n3xt0000", randomBytes(32))),
  salt: "1".repeat(32),
};
const TOKEN = "dka1.k3f9a1c2.c2VhbGVk";

let folder: string;
let path: string;
let api: TestResourceServer;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "daykey-own-"));
  path = join(folder, "credential.json");
});
afterEach(async () => {
  await api.stop();
  await rm(folder, { recursive: true });
});

async function put(content: string): Promise<void> {
  await writeFile(`${path}.new`, content);
  await rename(`${path}.new`, path);
}

function fileOf({ clientId, clientSecret, salt }: OwnCredential, issuer = ISSUER): string {
  return JSON.stringify({ issuer, client_id: clientId, client_secret: clientSecret, salt });
}

async function start(): Promise<void> {
  api = await startResourceServer({ config: { credentialFile: path } });
  await put(fileOf(api.authServer.credential));
}

/** Makes it ask about an opaque token; what it proved itself with. */
async function kidOfQuestion(): Promise<string | undefined> {
  // An answer is remembered for 5 s.
  api.pass(5);
  const { questions } = api.authServer;
  const before = questions.length;
  await api.time(TOKEN);
  expect(questions.length).toBeGreaterThan(before);
  const { client_id, client_secret_hash } = questions.at(-1) ?? {};
  return `${client_id} ${client_secret_hash?.split(".")[0]}`;
}

describe("RESOURCE_CREDENTIAL_FILE", () => {
  test("another secret in it is used within a minute, by another client too", async () => {
    await start();
    api.authServer.answerIntrospection((_req, res) => sendJson(res, { active: false }));
    await put(fileOf(NEXT));
    expect(await kidOfQuestion()).toBe("resource-server r3s0urc3");
    api.pass(60);
    expect(await kidOfQuestion()).toBe("resource-server-2 n3xt0000");
    const event = "credential_changed";
    expect(api.lines.filter((line) => line["event"] === event)).toEqual([
      expect.objectContaining({ event, client: "resource-server-2", kid: "n3xt0000" }),
    ]);
    expect(api.logText()).not.toContain(NEXT.clientSecret);
  });

  test("the key of signed answers that is made of it follows, and the one before stays published", async () => {
    await start();
    api.authServer.answerIntrospection((_req, res) => sendJson(res, { active: false }));
    const kids = async (): Promise<string[]> => {
      const { body } = await api.request("GET /.well-known/jwks.json");
      return (body as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
    };
    const [before] = await kids();
    await put(fileOf(NEXT));
    api.pass(60);
    await kidOfQuestion();
    const [next, ...others] = await kids();
    expect(others).toEqual([before]);
    const { headers } = await api.request("GET /time", {
      headers: { "accept-signature": 'sig=("content-length");nonce="n"' },
    });
    expect(headers["signature-input"]).toContain(`keyid="${next}"`);
  });

  test("once its secret is refused it is read at once, and the question is asked again", async () => {
    await start();
    api.authServer.answerIntrospection((_req, res) => sendJson(res, { active: false }));
    expect(await kidOfQuestion()).toBe("resource-server r3s0urc3");
    await put(fileOf(NEXT));
    api.authServer.answerIntrospection((_req, res) => {
      const { client_id } = api.authServer.questions.at(-1) ?? {};
      if (client_id === NEXT.clientId) sendJson(res, { active: false });
      else sendJson(res, { error: "invalid_client" }, 401);
    });
    expect(await kidOfQuestion()).toBe("resource-server-2 n3xt0000");
    expect(api.authServer.questions).toHaveLength(3);
  });

  test("the feed goes on by the next secret when the one before was revoked", async () => {
    await start();
    await put(fileOf(NEXT));
    api.pass(1);
    api.authServer.answerFeed((_req, res) => void res.writeHead(401).end());
    api.authServer.answerToken((_req, res) => {
      const form = api.authServer.tokenForms.at(-1);
      if (form?.["client_id"] !== NEXT.clientId) {
        return sendJson(res, { error: "invalid_client" }, 401);
      }
      api.authServer.answerFeed(undefined);
      api.authServer.answerToken(undefined);
      sendJson(res, { access_token: "later", token_type: "Bearer", expires_in: 600 });
    });
    api.authServer.feed().end();
    await until("asked by the next secret", () =>
      api.authServer.tokenForms.some(({ client_id }) => client_id === NEXT.clientId),
    );
    expect(api.authServer.tokenForms.at(-1)).toMatchObject({ client_id: NEXT.clientId });
  });

  test.each([
    ["is gone", undefined],
    ["is empty", ""],
    ["is cut", fileOf(NEXT).slice(0, 80)],
    ["is of another issuer", fileOf(NEXT, "https://other.example.test")],
    ["has a secret of another form", fileOf({ ...NEXT, clientSecret: "dks_old_secret" })],
    [
      "has a mistyped secret",
      fileOf({ ...NEXT, clientSecret: `${NEXT.clientSecret.slice(0, -6)}aaaaaa` }),
    ],
    ["is JSON of another kind", "[1]"],
  ])("while it %s the secret before stays, which is logged once", async (_, content) => {
    await start();
    api.authServer.answerIntrospection((_req, res) => sendJson(res, { active: false }));
    if (content === undefined) await rm(path);
    else await put(content);
    for (let i = 0; i < 3; i++) {
      api.pass(60);
      expect(await kidOfQuestion()).toBe("resource-server r3s0urc3");
    }
    const told = api.lines.filter(({ event }) => event === "credential_unusable");
    expect(told).toHaveLength(1);
    await put(fileOf(NEXT));
    api.pass(60);
    expect(await kidOfQuestion()).toBe("resource-server-2 n3xt0000");
  });
});
