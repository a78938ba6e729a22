/** `private_key_jwt` (RFC 7515, RFC 7523): how an assertion is signed, by which key, and how it is written. */
import { createHmac, createPublicKey, randomUUID } from "node:crypto";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ASSERTION_ALGORITHMS } from "@daykey/common/protocol";
import {
  assertionOf,
  createKey,
  answerTo,
  createKeyClient,
  encode,
  type Members,
  present,
  registerKeys,
  signatureOf,
  signJwt,
  type TestKey,
  REFUSED,
  TOKEN,
} from "../../test/assertions.ts";
import { ISSUER, startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";

let server: TestAuthServer;
let clientId: string;
let key: TestKey;
beforeAll(async () => {
  server = await startAuthServer();
  ({ clientId, key } = await createKeyClient(server));
});
afterAll(() => server.stop());

function assertion(changes: { header?: Members; claims?: Members } = {}): string {
  return assertionOf(clientId, key, server.now(), changes);
}

describe("C11: registered keys of four algorithms", () => {
  test.each(ASSERTION_ALGORITHMS)("%s, by hand and by jose", async (algorithm) => {
    const client = await createKeyClient(server, { algorithm });
    const now = server.now();
    expect(await answerTo(server, assertionOf(client.clientId, client.key, now))).toEqual(TOKEN);
    const signer = new SignJWT({ jti: randomUUID() })
      .setProtectedHeader({ alg: algorithm, typ: "client-authentication+jwt" })
      .setIssuer(client.clientId)
      .setSubject(client.clientId)
      .setAudience(ISSUER)
      .setExpirationTime(Math.floor(now) + 60);
    expect(await answerTo(server, await signer.sign(client.key.privateKey))).toEqual(TOKEN);
  });

  test("EdDSA is the older name of Ed25519 (RFC 9864)", async () => {
    const client = await createKeyClient(server, { algorithm: "Ed25519" });
    const header = { alg: "EdDSA" };
    const text = assertionOf(client.clientId, client.key, server.now(), { header });
    expect(await answerTo(server, text)).toEqual(TOKEN);
  });

  test("one key has one algorithm: the same RSA key by the other is refused (RFC 8725 §3.1)", async () => {
    const client = await createKeyClient(server, { algorithm: "RS256" });
    const other = { ...client.key, algorithm: "PS256" as const };
    expect(await answerTo(server, assertionOf(client.clientId, other, server.now()))).toEqual(
      REFUSED,
    );
    expect(await answerTo(server, assertionOf(client.clientId, client.key, server.now()))).toEqual(
      TOKEN,
    );
  });

  test("the header's algorithm is the key's, whatever the signature was made by", async () => {
    for (const algorithm of ASSERTION_ALGORITHMS) {
      const client = await createKeyClient(server, { algorithm });
      for (const alg of ASSERTION_ALGORITHMS) {
        const header = { alg };
        const text = assertionOf(client.clientId, client.key, server.now(), { header });
        expect(await answerTo(server, text)).toEqual(alg === algorithm ? TOKEN : REFUSED);
      }
    }
  });

  test("none in all spellings, with and without a signature", async () => {
    for (const alg of ["none", "None", "NONE", "nOnE", "", null, undefined, 0, ["none"]]) {
      const [header = "", claims = "", signature = ""] = assertion({ header: { alg } }).split(".");
      for (const end of [signature, "", "AA"]) {
        expect(await answerTo(server, `${header}.${claims}.${end}`), String(alg)).toEqual(REFUSED);
      }
    }
  });

  test("HS* over the public key as JWK or PEM, or a secret of the client's", async () => {
    const client = await server.createClient({
      authMethods: ["private_key_jwt", "client_secret_post"],
    });
    await registerKeys(server, client.clientId, key);
    const pem = createPublicKey(key.privateKey).export({ type: "spki", format: "pem" });
    for (const secret of [JSON.stringify(key.publicJwk), pem.toString(), client.clientSecret, ""]) {
      for (const [alg, digest] of [
        ["HS256", "sha256"],
        ["HS512", "sha512"],
      ] as const) {
        const text = assertionOf(client.clientId, key, server.now(), { header: { alg } });
        const signed = text.slice(0, text.lastIndexOf("."));
        const mac = createHmac(digest, secret).update(signed).digest("base64url");
        expect(await answerTo(server, `${signed}.${mac}`)).toEqual(REFUSED);
      }
    }
  });

  test("algorithms that are not on the list", async () => {
    const algorithms = [
      "ES384",
      "ES512",
      "RS384",
      "RS512",
      "ES256K",
      "RS1",
      "es256",
      "ES256 ",
      "dir",
    ];
    for (const alg of algorithms) {
      expect(await answerTo(server, assertion({ header: { alg } })), alg).toEqual(REFUSED);
    }
  });
});

describe("which key", () => {
  test("the kid chooses; without one every key of the algorithm is tried", async () => {
    const client = await createKeyClient(server);
    const second = createKey("key-2");
    await registerKeys(server, client.clientId, second);
    const [a, b] = [client.key, second];
    const status = async (signer: TestKey, kid: string | undefined): Promise<number> => {
      const header = { kid };
      const text = assertionOf(client.clientId, signer, server.now(), { header });
      return (await present(server, text)).status;
    };
    expect([await status(a, "key-1"), await status(b, "key-2")]).toEqual([200, 200]);
    expect([await status(a, undefined), await status(b, undefined)]).toEqual([200, 200]);
    expect([await status(a, "key-2"), await status(b, "key-1")]).toEqual([401, 401]);
  });

  test("a hostile kid is nobody's", async () => {
    const kids = [
      "../../etc/passwd",
      "key-1'--",
      "x".repeat(4000),
      "",
      null,
      1,
      ["key-1"],
      "__proto__",
    ];
    for (const kid of kids) {
      expect(await answerTo(server, assertion({ header: { kid } })), String(kid)).toEqual(REFUSED);
    }
  });

  test("keys that the assertion brings or names are ignored", async () => {
    const stranger = { ...createKey("stranger"), kid: key.kid };
    const header = {
      jwk: stranger.publicJwk,
      jku: `${server.url}/jwks`,
      x5u: `${server.url}/x5u`,
      x5c: ["MIIB"],
    };
    const forged = assertionOf(clientId, stranger, server.now(), { header });
    expect(await answerTo(server, forged)).toEqual(REFUSED);
    expect(await answerTo(server, assertion({ header }))).toEqual(TOKEN);
  });

  test("crit and b64 are refused (RFC 7515 §4.1.11, RFC 7797)", async () => {
    for (const header of [
      { crit: ["exp"] },
      { crit: [] },
      { crit: ["b64"], b64: true },
      { b64: false },
    ]) {
      expect(await answerTo(server, assertion({ header }))).toEqual(REFUSED);
    }
  });
});

describe("one spelling", () => {
  test("what is not written exactly as a JWS is refused", async () => {
    const [header = "", claims = "", signature = ""] = assertion().split(".");
    const lenient = signature.replace(/.$/, (last) => (last === "A" ? "B" : nextOf(last)));
    const nothing = Buffer.alloc(64).toString("base64url");
    const notUtf8 = Buffer.from([0x7b, 0xff, 0x7d]).toString("base64url");
    const twice = Buffer.from(
      JSON.stringify({
        iss: clientId,
        sub: clientId,
        aud: ISSUER,
        jti: "j",
        exp: server.now() + 60,
      }).replace("{", `{"aud":"x",`),
    ).toString("base64url");
    const texts = [
      `${header}.${claims}`,
      `${header}.${claims}.`,
      `${header}.${claims}.${signature}.`,
      `${header}.${claims}.${signature}.AA.AA`,
      `${header}.${claims}.${signature}=`,
      ` ${header}.${claims}.${signature}`,
      `${header}.${claims}.${lenient}`,
      `${header}.${claims}.${nothing}`,
      `${header}.${claims}.${signature.slice(0, -4)}`,
      `${header}=.${claims}.${signature}`,
      `${notUtf8}.${claims}.${signature}`,
      `${header}.${twice}.${signatureOf(key, `${header}.${twice}`).toString("base64url")}`,
      ...[[], null, "x", 1].map((value) => `${encode(value)}.${claims}.${signature}`),
      ...[[], null, "x", 1].map((value) => `${header}.${encode(value)}.${signature}`),
      "a.b.c",
      "..",
      "x",
    ];
    for (const text of texts)
      expect(await answerTo(server, text, { client_id: clientId })).toEqual(REFUSED);
    expect(await answerTo(server, `${header}.${claims}.${signature}`)).toEqual(TOKEN);
  });

  test("each part is under the signature", async () => {
    const [header = "", claims = "", signature = ""] = assertion().split(".");
    const [otherHeader = "", otherClaims = ""] = signJwt(key, { alg: "ES256" }, {}).split(".");
    expect(await answerTo(server, `${otherHeader}.${claims}.${signature}`)).toEqual(REFUSED);
    expect(await answerTo(server, `${header}.${otherClaims}.${signature}`)).toEqual(REFUSED);
  });
});

/** The base64url letter after this one: the last letter of 64 bytes has four bits that mean nothing. */
function nextOf(letter: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return alphabet[alphabet.indexOf(letter) + 1] ?? "A";
}
