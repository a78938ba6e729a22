import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { webHash } from "@daykey/client/internal/web-hash";
import { parseInstant } from "@daykey/common/clock";
import { formatSecret, secretBody } from "@daykey/common/secret-hash";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createOwnClient, type OwnCredential } from "./own-client.ts";

const NOW = 1_795_262_400;
const OLD = await credential("aaaaaaaa");
const NEW = await credential("bbbbbbbb");

async function credential(kid: string): Promise<OwnCredential> {
  const clientSecret = await formatSecret(webHash, secretBody(kid, randomBytes(32)));
  return { clientId: "resource-server", clientSecret, salt: "0".repeat(32) };
}

/** The proofs so far, and what is answered to one. */
let proofs: { kid: string; when: number }[];
let answer: (kid: string, res: ServerResponse) => void;
let url: string;
beforeEach(async () => {
  proofs = [];
  const server = createServer((req: IncomingMessage, res) => {
    void text(req).then((body) => {
      const hash = new URLSearchParams(body).get("client_secret_hash") ?? "";
      const [kid = "", when = ""] = hash.split(".");
      proofs.push({ kid, when: parseInstant(when) ?? Number.NaN });
      answer(kid, res);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return () => server.close();
});
afterEach(() => void (answer = refuse));

function refuse(_kid: string, res: ServerResponse, date = NOW): void {
  res.writeHead(401, {
    date: new Date(date * 1000).toUTCString(),
    "content-type": "application/json",
  });
  res.end(JSON.stringify({ error: "invalid_client" }));
}

function grant(_kid: string, res: ServerResponse): void {
  res.writeHead(200, {
    date: new Date(NOW * 1000).toUTCString(),
    "content-type": "application/json",
  });
  res.end(JSON.stringify({ access_token: "token", token_type: "Bearer", expires_in: 600 }));
}

function open(source: Parameters<typeof createOwnClient>[0]["credential"]) {
  const issuer = "https://auth.example.test";
  return createOwnClient({ authServerUrl: url, issuer, credential: source, clock: () => NOW });
}
const { signal } = new AbortController();

test("a secret that is refused is asked about once more by its successor, if there is one", async () => {
  answer = (kid, res) => (kid === "bbbbbbbb" ? grant : refuse)(kid, res);
  let held = OLD;
  const client = open(async ({ isRefused }) => {
    if (isRefused) held = NEW;
    return held;
  });
  expect(await client.token("introspect", signal)).toEqual({ value: "token", lifeSeconds: 600 });
  expect(proofs.map(({ kid }) => kid)).toEqual(["aaaaaaaa", "bbbbbbbb"]);
  expect(await client.token("introspect", signal)).toMatchObject({ value: "token" });
  expect(proofs.map(({ kid }) => kid)).toEqual(["aaaaaaaa", "bbbbbbbb", "bbbbbbbb"]);
});

test("a secret that is refused and has no successor is asked about once", async () => {
  answer = refuse;
  for (const source of [OLD, async () => OLD]) {
    proofs = [];
    await expect(open(source).token("introspect", signal)).rejects.toMatchObject({
      oauthError: "invalid_client",
    });
    expect(proofs.map(({ kid }) => kid)).toEqual(["aaaaaaaa"]);
  }
});

test("a proof that was refused has another by another secret alone", async () => {
  let held = OLD;
  const proof = await open(async () => held).proof();
  expect(proof.form["client_secret_hash"]).toMatch(/^aaaaaaaa\./);
  expect(await proof.another()).toBeUndefined();
  held = NEW;
  const another = await proof.another();
  expect(another?.form["client_secret_hash"]).toMatch(/^bbbbbbbb\./);
  expect(await another?.another()).toBeUndefined();
});

test.each([-400 * 86_400, -86_400, -3_700, 3_700, 86_400, 400 * 86_400])(
  "no hash is dated by an answer that is %i s from this machine's clock",
  async (seconds) => {
    answer = (kid, res) => refuse(kid, res, NOW + seconds);
    const client = open(OLD);
    for (let i = 0; i < 3; i++) {
      await expect(client.token("introspect", signal)).rejects.toMatchObject({ code: "clock" });
    }
    await client.proof();
    const { form } = await client.proof();
    const when = parseInstant(form["client_secret_hash"]?.split(".")[1] ?? "");
    for (const at of [...proofs.map((proof) => proof.when), when]) expect(at).toBe(NOW);
  },
);
