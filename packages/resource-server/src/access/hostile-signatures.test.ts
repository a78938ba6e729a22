/** Hostile tokens that a library might take for signed: algorithms, keys and signatures (RFC 8725 §2, §3). */
import { constants, createHmac, createPublicKey, sign } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createSigningKey,
  encodePart,
  type HttpStub,
  signatureOf,
  type SigningKey,
  signParts,
  startHttpStub,
} from "../../test/issuer.ts";
import {
  expectRefused,
  startResourceServer,
  type TestResourceServer,
} from "../../test/resource-server.ts";

const rsa = createSigningKey("RS256");
const ed = createSigningKey("Ed25519");
/** A key that belongs to nobody this server knows. */
const foreign = createSigningKey();
let api: TestResourceServer;
let ec: SigningKey;
/** Where hostile headers point to. */
let canary: HttpStub;
beforeAll(async () => {
  api = await startResourceServer();
  ec = api.key;
  api.issuer.publish(ec.jwk, rsa.jwk, ed.jwk);
  // The cooldown since the first fetch.
  api.advance(30);
  canary = await startHttpStub();
  canary.answer((_req, res) => res.end(JSON.stringify({ keys: [foreign.jwk] })));
});
afterAll(() => Promise.all([api.stop(), canary.stop()]));

/** Header and payload of a valid token but for changes of the header. */
const input = (header: Record<string, unknown>): string =>
  `${encodePart(api.header(header))}.${encodePart(api.claims())}`;

const withSignature = (header: Record<string, unknown>, signature: Buffer): string =>
  `${input(header)}.${signature.toString("base64url")}`;

describe("alg none", () => {
  const spellings = ["none", "None", "NONE", "nOnE", "none ", "", "null", "0"];

  test.each(spellings)("%j, with an empty, another's or any signature", async (alg) => {
    const genuine = signatureOf(ec, input({ alg })).toString("base64url");
    await expectRefused(api, `${input({ alg })}.`, "malformed");
    await expectRefused(api, input({ alg }), "malformed");
    for (const signature of [genuine, "AA", "bm9uZQ"]) {
      await expectRefused(api, `${input({ alg })}.${signature}`, "algorithm_of_another_key");
    }
    await expectRefused(api, `${encodePart({ alg })}.${encodePart(api.claims())}.AA`, "no_kid");
  });

  test("a valid token without its signature", async () => {
    const [header, payload] = api.token().split(".");
    await expectRefused(api, `${header}.${payload}.`, "malformed");
    await expectRefused(api, `${header}.${payload}.AA`, "wrong_signature");
  });
});

test.each([[undefined], [null], [256], [["ES256"]], [{ alg: "ES256" }], [true]])(
  "alg %j is refused, though the signature is genuine",
  (alg) => expectRefused(api, api.token({ header: { alg } }), "no_algorithm"),
);

test.each(["es256", "Es256", "ES256 ", " ES256", "ES256K", "ES384", "ES512", "ECDSA", "SHA256"])(
  "alg %j is refused, though the signature is genuine",
  (alg) => expectRefused(api, api.token({ header: { alg } }), "algorithm_of_another_key"),
);

test("HMAC keyed with a public key, in any form that a library might take for a secret", async () => {
  for (const { kid, publicKey, jwk } of [ec, rsa, ed]) {
    const pem = String(publicKey.export({ format: "pem", type: "spki" }));
    const { kid: _kid, alg: _alg, use: _use, ...bare } = jwk;
    const secrets = {
      PEM: pem,
      "PEM without its last line end": pem.trimEnd(),
      "PEM with CRLF": pem.replaceAll("\n", "\r\n"),
      "PEM's base64": pem.split("\n").slice(1, -2).join(""),
      DER: publicKey.export({ format: "der", type: "spki" }),
      JWK: JSON.stringify(jwk),
      "bare JWK": JSON.stringify(bare),
      "key set": JSON.stringify({ keys: [jwk] }),
      x: Buffer.from(jwk.x ?? jwk.n ?? "", "base64url"),
      "x and y": Buffer.from(`${jwk.x ?? ""}${jwk.y ?? ""}`, "base64url"),
      nothing: "",
      kid: kid,
    };
    for (const [form, secret] of Object.entries(secrets)) {
      for (const bits of ["256", "384", "512"]) {
        const header = { alg: `HS${bits}`, kid };
        const mac = createHmac(`sha${bits}`, secret).update(input(header)).digest();
        const token = withSignature(header, mac);
        await expectRefused(api, token, "algorithm_of_another_key", `${form}, HS${bits}`);
      }
    }
  }
});

test("the algorithm of another key: any kid with any other's alg and signature", async () => {
  const keys = [ec, rsa, ed];
  for (const named of keys) {
    for (const signer of keys.filter((key) => key !== named)) {
      const own = { alg: signer.algorithm, kid: named.kid };
      await expectRefused(
        api,
        signParts(signer, api.header(own), api.claims()),
        "algorithm_of_another_key",
      );
      const others = { alg: named.algorithm, kid: named.kid };
      await expectRefused(
        api,
        signParts(signer, api.header(others), api.claims()),
        "wrong_signature",
      );
    }
  }
});

test("PSS is not RS256, by its own name or under RS256's", async () => {
  for (const [alg, reason] of [
    ["PS256", "algorithm_of_another_key"],
    ["RS256", "wrong_signature"],
  ] as const) {
    const header = { alg, kid: rsa.kid };
    const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
    const data = Buffer.from(input(header));
    const signature = sign("sha256", data, { key: rsa.privateKey, ...pss });
    await expectRefused(api, withSignature(header, signature), reason);
  }
});

describe("V2: a key that the token brings or names is not used, nor asked for", () => {
  const places = (): Record<string, Record<string, unknown>> => {
    const spki = foreign.publicKey.export({ format: "der", type: "spki" }).toString("base64");
    const where = `${canary.url}/jwks.json`;
    return {
      jwk: { jwk: foreign.jwk },
      jku: { jku: where },
      x5u: { x5u: where },
      x5c: { x5c: [spki] },
      "x5t#S256": { "x5t#S256": encodePart(spki) },
      all: { jwk: foreign.jwk, jku: where, x5u: where, x5c: [spki], iss: canary.url },
      url: { url: where, jwks_uri: where },
    };
  };

  test("with our kid its signature is wrong, with its own it is unknown", async () => {
    for (const [name, header] of Object.entries(places())) {
      const ours = signParts(foreign, api.header(header), api.claims());
      await expectRefused(api, ours, "wrong_signature", name);
      const its = signParts(foreign, api.header({ ...header, kid: foreign.kid }), api.claims());
      await expectRefused(api, its, "unknown_kid", name);
      const none = signParts(foreign, api.header({ ...header, kid: undefined }), api.claims());
      await expectRefused(api, none, "no_kid", name);
    }
  });

  test("beside a genuine signature they are ignored (RFC 7515 §4.1.2 to §4.1.8)", async () => {
    for (const [name, header] of Object.entries(places())) {
      expect((await api.time(api.token({ header }))).status, name).toBe(200);
    }
  });

  test("a kid is a name to look up, whatever it looks like", async () => {
    const kids = [
      `${canary.url}/jwks.json`,
      canary.url.replace("http:", ""),
      `file:///etc/passwd`,
      "../../../../dev/null",
      "/dev/null",
      "..\\..\\nul",
      "' OR '1'='1",
      '"; drop table keys; --',
      "`id`",
      "$(id)",
      "%00",
      "{{7*7}}",
      "__proto__",
      "constructor",
      "toString",
      "size",
      "*",
      " ",
      "",
      `${ec.kid} `,
      ec.kid.toUpperCase(),
      "ключ",
      "\u{1f511}",
    ].filter((kid) => kid !== ec.kid);
    for (const kid of kids)
      await expectRefused(api, api.token({ header: { kid } }), "unknown_kid", kid);
  });

  test("a kid that is no short text is none", async () => {
    const kids = [undefined, null, 1, true, [ec.kid], { kid: ec.kid }, "k".repeat(129)];
    for (const kid of kids) await expectRefused(api, api.token({ header: { kid } }), "no_kid");
  });

  test("a kid with a control character, or of 10 kB", async () => {
    for (const kid of ["\0", `${ec.kid}\0`, `${ec.kid}\n`, "\u001b[31m", "\x7f"]) {
      await expectRefused(api, api.token({ header: { kid } }), "malformed_header", kid);
    }
    await expectRefused(api, api.token({ header: { kid: "k".repeat(10_000) } }), "malformed");
  });
});

describe("signatures", () => {
  const n = BigInt("0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
  const p = BigInt("0xffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
  const pair = (r: bigint, s: bigint): Buffer =>
    Buffer.from(r.toString(16).padStart(64, "0") + s.toString(16).padStart(64, "0"), "hex");

  test("ECDSA with r and s that no signature has", async () => {
    for (const r of [0n, 1n, n - 1n, n, n + 1n, p, p - 1n, 2n ** 256n - 1n]) {
      for (const s of [0n, 1n, n - 1n, n, n + 1n, p, 2n ** 256n - 1n]) {
        await expectRefused(api, withSignature({}, pair(r, s)), "wrong_signature", `${r} ${s}`);
      }
    }
  });

  test("a genuine ES256 signature in another form or length", async () => {
    const signing = input({});
    const data = Buffer.from(signing);
    const genuine = signatureOf(ec, signing);
    const forms = {
      DER: sign("sha256", data, ec.privateKey),
      "one byte less": genuine.subarray(1),
      "one byte less at its end": genuine.subarray(0, -1),
      "one byte more": Buffer.concat([genuine, Buffer.of(0)]),
      "one byte more before it": Buffer.concat([Buffer.of(0), genuine]),
      "each half padded": Buffer.concat([
        Buffer.of(0),
        genuine.subarray(0, 32),
        Buffer.of(0),
        genuine.subarray(32),
      ]),
      "r alone": genuine.subarray(0, 32),
      "s before r": Buffer.concat([genuine.subarray(32), genuine.subarray(0, 32)]),
      twice: Buffer.concat([genuine, genuine]),
      "its bits inverted": Buffer.from(genuine.map((byte) => ~byte)),
      "over SHA-384": sign("sha384", data, { key: ec.privateKey, dsaEncoding: "ieee-p1363" }),
      hex: Buffer.from(genuine.toString("hex")),
      base64url: Buffer.from(genuine.toString("base64url")),
    };
    for (const [name, form] of Object.entries(forms)) {
      await expectRefused(api, `${signing}.${form.toString("base64url")}`, "wrong_signature", name);
    }
  });

  test.each([
    ["RS256", rsa, 256],
    ["Ed25519", ed, 64],
  ] as const)("%s of zeros, ones, or one byte off", async (_alg, key, length) => {
    const header = { alg: key.algorithm, kid: key.kid };
    const genuine = signatureOf(key, input(header));
    const others = [
      Buffer.alloc(length),
      Buffer.alloc(length, 0xff),
      Buffer.concat([Buffer.alloc(length - 1), Buffer.of(1)]),
      genuine.subarray(1),
      Buffer.concat([genuine, Buffer.of(0)]),
      Buffer.concat([Buffer.of(0), genuine]),
    ];
    for (const other of others)
      await expectRefused(api, withSignature(header, other), "wrong_signature");
  });

  const hexReversed = (bytes: Uint8Array): string =>
    Buffer.from(bytes.toReversed()).toString("hex");

  test("Ed25519 with s beyond the group's order, which some verifiers reduce", async () => {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const signing = input({ alg: "Ed25519", kid: ed.kid });
    const genuine = signatureOf(ed, signing);
    const s = BigInt(`0x${hexReversed(genuine.subarray(32))}`) + order;
    const shifted = Buffer.from(s.toString(16).padStart(64, "0"), "hex").toReversed();
    const token = `${signing}.${Buffer.concat([genuine.subarray(0, 32), shifted]).toString("base64url")}`;
    await expectRefused(api, token, "wrong_signature");
  });

  test("parts of different tokens put together", async () => {
    const one = api.token().split(".");
    const other = api.token({ claims: { client_id: "other" } }).split(".");
    const third = api.token({ key: rsa }).split(".");
    for (const parts of [
      [one[0], one[1], other[2]],
      [one[0], other[1], one[2]],
      [one[0], one[1], third[2]],
      [one[0], third[1], one[2]],
    ]) {
      await expectRefused(api, parts.join("."), "wrong_signature");
    }
    await expectRefused(api, [third[0], one[1], one[2]].join("."), "wrong_signature");
  });

  test("the keys here are those of the key set", () => {
    for (const key of [ec, rsa, ed]) {
      const published = createPublicKey({ key: { ...key.jwk }, format: "jwk" });
      expect(published.equals(key.publicKey)).toBe(true);
    }
  });
});

test("V2: no token made the server ask anyone", () => {
  expect(canary.requests()).toBe(0);
});
