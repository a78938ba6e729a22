import { execFileSync, spawnSync } from "node:child_process";
import { argon2Sync, createHash, createHmac } from "node:crypto";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import vectors from "../vectors/secret-hash.json" with { type: "json" };
import { fromHex, toHex, utf8, xor } from "./bytes.ts";
import { formatDate, formatInstant, parseInstant } from "./clock.ts";
import {
  ARGON2ID,
  CHOSEN_SECRET_BYTES,
  dayFormHash,
  dayKey,
  dayKeyMessage,
  formatSecret,
  hasChecksum,
  type HashPrimitives,
  isChosenSecret,
  isKid,
  isSalt,
  kidOfSecret,
  oneTimeHash,
  oneTimeMessage,
  parseSecretHash,
  secretBody,
  seedHashMessage,
} from "./secret-hash.ts";

const node: HashPrimitives = {
  sha256: (data) => createHash("sha256").update(data).digest(),
  hmacSha256: (key, message) => createHmac("sha256", key).update(message).digest(),
};
const web: HashPrimitives = {
  sha256: async (data) => new Uint8Array(await crypto.subtle.digest("SHA-256", owned(data))),
  async hmacSha256(key, message) {
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const imported = await crypto.subtle.importKey("raw", owned(key), algorithm, false, ["sign"]);
    return new Uint8Array(await crypto.subtle.sign("HMAC", imported, owned(message)));
  },
};
const owned = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);

const { client } = vectors;
const secret = { root: client.client_secret, salt: client.salt, kid: client.kid };
const cases = vectors.cases.map((item) => [item.name, item] as const);

describe.each([
  ["node:crypto", node],
  ["WebCrypto", web],
])("vectors of protocol §1 over %s", (_name, hash) => {
  test.each(vectors.day)("the day key and verifier of $date", async ({ date, ...expected }) => {
    const key = await dayKey(hash, client.client_secret, client.salt, date);
    const verifier = await hash.sha256(key);
    expect({ day_key: toHex(key), verifier: toHex(verifier) }).toEqual(expected);
    const lastSecond = parseInstant(`${date}T23:59:59Z`) ?? Number.NaN;
    expect(await dayFormHash(hash, secret, lastSecond + 0.999)).toBe(expected.day_key);
  });

  test.each(vectors.once)("the one-time hash at $when", async (vector) => {
    const { issuer, client_id: clientId, kid, when, nonce } = vector;
    const message = oneTimeMessage({ issuer, clientId, kid, when, nonce });
    expect(message.length).toBe(vector.message_bytes);
    const key = await dayKey(hash, client.client_secret, client.salt, when.slice(0, 10));
    const mask = await hash.hmacSha256(await hash.sha256(key), message);
    expect(toHex(mask)).toBe(vector.mask);
    expect(toHex(xor(key, mask))).toBe(vector.proof);
    const request = {
      issuer,
      clientId,
      epochSeconds: (parseInstant(when) ?? Number.NaN) + 0.5,
      nonce: fromHex(nonce, 16) ?? new Uint8Array(),
    };
    expect(await oneTimeHash(hash, secret, request)).toBe(vector.client_secret_hash);
  });

  test.each(vectors.chosen)("a chosen secret's day key of $date", async (vector) => {
    const key = await dayKey(hash, vector.root, vector.salt, vector.date);
    expect(toHex(key)).toBe(vector.day_key);
  });
});

test.each(vectors.chosen)("Argon2id makes the chosen secret's root (RFC 9106)", (vector) => {
  const { memoryKiB, passes, parallelism, hashBytes } = ARGON2ID;
  expect(vector.argon2id).toEqual({
    memory_kib: memoryKiB,
    passes,
    parallelism,
    hash_bytes: hashBytes,
  });
  const root = argon2Sync("argon2id", {
    message: vector.secret,
    nonce: vector.salt,
    memory: memoryKiB,
    passes,
    parallelism,
    tagLength: hashBytes,
  });
  expect(root.toString("hex")).toBe(vector.root);
});

test.each(vectors.compat)("the seed-compatible hash of $date", (vector) => {
  const [month, day, year] = vector.date.split("/");
  const message = seedHashMessage(`${year}-${month}-${day}`, vector.salt);
  expect(new TextDecoder().decode(message)).toBe(`${vector.date} ${vector.salt}`);
  const hash = createHmac("sha1", vector.secret).update(message);
  expect(hash.digest("hex")).toBe(vector.client_secret_hash);
  expect(createHash("sha256").update(vector.client_secret_hash).digest("hex")).toBe(
    vector.verifier,
  );
});

test.each(vectors.seed)("the seed-compatible hash of a generated secret on $date", (vector) => {
  const message = seedHashMessage(vector.date, client.salt);
  const hash = createHmac("sha1", client.client_secret).update(message).digest("hex");
  expect([hash, createHash("sha256").update(hash).digest("hex")]).toEqual([
    vector.client_secret_hash,
    vector.verifier,
  ]);
});

test.each(vectors.seed_cases)("seed: $name", ({ client_secret_hash: hash, expected }) => {
  const parsed = parseSecretHash(hash);
  expect(parsed).toEqual(expected === "malformed" ? undefined : { form: "seed" });
});

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;
const ONE_LINER = `printf '%s %s' "$DATE" "$SALT" | openssl dgst -sha256 -hmac "$CLIENT_SECRET" -r | cut -c1-64`;

test.skipIf(!hasOpenssl).each(vectors.day)("a shell makes the day form of $date", (vector) => {
  const env = { ...process.env, DATE: vector.date, SALT: client.salt };
  const output = execFileSync("sh", ["-c", ONE_LINER], {
    env: { ...env, CLIENT_SECRET: client.client_secret },
    encoding: "utf8",
  });
  expect(output).toBe(`${vector.day_key}\n`);
});

const hasPython = spawnSync("python3", ["--version"]).status === 0;

test.skipIf(!hasPython)("Python writes the secrets and makes the hashes of the vectors", () => {
  const path = fileURLToPath(new URL("../vectors/check.py", import.meta.url));
  const { status, stderr } = spawnSync("python3", [path], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});

describe("the form of client_secret_hash", () => {
  test.each(cases)("%s", (_name, { form, client_secret_hash, expected }) => {
    const parsed = parseSecretHash(client_secret_hash);
    expect(parsed?.form).toBe(expected === "malformed" ? undefined : form);
  });

  const instant = fc.double({ min: 0, max: 253_402_300_799, noNaN: true });
  const nonce = fc.uint8Array({ minLength: 16, maxLength: 16 });
  const clientId = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$/);
  const anyRequest = fc.record({
    issuer: fc.webUrl(),
    clientId,
    epochSeconds: instant,
    nonce,
  });

  test("what oneTimeHash makes is read back, part by part", async () => {
    const anyKid = fc.stringMatching(/^[a-z0-9]{8}$/);
    await fc.assert(
      fc.asyncProperty(anyRequest, anyKid, fc.string(), async (request, kid, root) => {
        const text = await oneTimeHash(node, { ...secret, kid, root }, request);
        const parsed = parseSecretHash(text);
        expect(parsed).toEqual({
          form: "once",
          kid,
          when: formatInstant(request.epochSeconds),
          whenAt: Math.floor(request.epochSeconds),
          nonce: toHex(request.nonce),
          proof: expect.any(Uint8Array),
        });
        const { when, proof } = parsed as { when: string; proof: Uint8Array };
        const key = await dayKey(node, root, secret.salt, when.slice(0, 10));
        const message = oneTimeMessage({ ...request, kid, when, nonce: toHex(request.nonce) });
        const mask = await node.hmacSha256(await node.sha256(key), message);
        expect(toHex(xor(proof, mask))).toBe(toHex(key));
      }),
    );
  });

  test("what dayFormHash makes is read back", async () => {
    await fc.assert(
      fc.asyncProperty(instant, fc.string(), async (epochSeconds, root) => {
        const parsed = parseSecretHash(await dayFormHash(node, { ...secret, root }, epochSeconds));
        const key = await dayKey(node, root, secret.salt, formatDate(epochSeconds));
        expect(parsed).toEqual({ form: "day", dayKey: new Uint8Array(key) });
      }),
    );
  });

  test("one hash has one spelling: no other text of its characters is read as it", () => {
    const [vector] = vectors.once;
    const valid = [vectors.day[0]?.day_key ?? "", vector?.client_secret_hash ?? ""];
    const edit = fc.record({
      text: fc.constantFrom(...valid),
      at: fc.nat(130),
      remove: fc.nat(2),
      insert: fc.string({ unit: "binary", maxLength: 2 }),
    });
    fc.assert(
      fc.property(edit, ({ text, at, remove, insert }) => {
        const edited = text.slice(0, at) + insert + text.slice(at + remove);
        const parsed = parseSecretHash(edited);
        // Nothing here is cut to the 40 hex of the seed-compatible hash.
        if (parsed === undefined || parsed.form === "seed") return;
        const spelt =
          parsed.form === "day"
            ? toHex(parsed.dayKey)
            : [parsed.kid, parsed.when, parsed.nonce, toHex(parsed.proof)].join(".");
        expect(spelt).toBe(edited);
      }),
      { numRuns: 5000 },
    );
  });
});

describe("secrets", () => {
  test("a generated secret ends in its checksum", async () => {
    for (const { kid, random: hex, client_secret: written } of vectors.secrets) {
      const random = fromHex(hex, 32) ?? new Uint8Array();
      expect(await formatSecret(node, secretBody(kid, random))).toBe(written);
      expect([kidOfSecret(written), await hasChecksum(node, written)]).toEqual([kid, true]);
      expect(await hasChecksum(node, written.replace(/.$/, "-"))).toBe(false);
    }
  });

  const anyKid = fc.stringMatching(/^[a-z0-9]{8}$/);
  const anyRandom = fc.uint8Array({ minLength: 32, maxLength: 32 });

  test("C1: a generated secret fits HMAC's block: its SHA-256 makes no hash of it", async () => {
    await fc.assert(
      fc.asyncProperty(anyKid, anyRandom, async (kid, random) => {
        const made = await formatSecret(node, secretBody(kid, random));
        expect(utf8(made).length).toBe(63);
        const published = createHash("sha256").update(made).digest();
        const message = dayKeyMessage("2026-11-21", client.salt);
        expect(node.hmacSha256(published, message)).not.toEqual(
          await dayKey(node, made, client.salt, "2026-11-21"),
        );
        const sha1 = (key: string | Buffer) =>
          createHmac("sha1", key).update(message).digest("hex");
        expect(sha1(createHash("sha1").update(made).digest())).not.toBe(sha1(made));
      }),
      { numRuns: 50 },
    );
  });

  test("a generated secret needs no encoding in a form, a URL, a header or a shell", async () => {
    await fc.assert(
      fc.asyncProperty(anyKid, anyRandom, async (kid, random) => {
        const made = await formatSecret(node, secretBody(kid, random));
        expect(made).toMatch(/^\w+$/);
        expect(new URLSearchParams({ s: made }).toString()).toBe(`s=${made}`);
      }),
    );
  });

  test("the form that development versions wrote, longer than HMAC's block, is none", () => {
    const old = `dks_k3f9a1c2_${"10".repeat(32)}_a6f67d58`;
    expect(kidOfSecret(old)).toBeUndefined();
  });

  test.each([
    ["upper case", client.client_secret.toUpperCase()],
    ["one digit less", client.client_secret.slice(0, -1)],
    ["one digit more", `${client.client_secret}0`],
    ["a line feed at the end", `${client.client_secret}\n`],
    ["a space at the beginning", ` ${client.client_secret}`],
    ["another prefix", client.client_secret.replace("dks", "dkr")],
    ["no checksum", client.client_secret.slice(0, -7)],
    ["a digit that is none", client.client_secret.replace("3oDH", "3oD-")],
    ["nothing", ""],
  ])("%s is no generated secret", (_name, text) => expect(kidOfSecret(text)).toBeUndefined());

  test("a kid or random bytes of another size are a programmer's mistake", () => {
    expect(() => secretBody("K3F9A1C2", new Uint8Array(32))).toThrow(TypeError);
    expect(() => secretBody(client.kid, new Uint8Array(31))).toThrow(TypeError);
  });

  test("kids and salts are strict", () => {
    expect([client.kid, "k3f9a1c", "k3f9a1c22", "K3f9a1c2", "k3f9a1c\n"].map(isKid)).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
    const { salt } = client;
    const salts = [salt, salt.slice(1), `${salt}0`, salt.toUpperCase(), `${salt.slice(1)}\n`];
    expect(salts.map(isSalt)).toEqual([true, false, false, false, false]);
  });

  test.each([
    ["12 bytes", "x".repeat(CHOSEN_SECRET_BYTES.min), true],
    ["11 bytes", "x".repeat(11), false],
    ["128 bytes", "x".repeat(128), true],
    ["129 bytes", "x".repeat(129), false],
    ["12 bytes in 6 characters", "é".repeat(6), true],
    ["130 bytes in 65 characters", "é".repeat(65), false],
    ["text that is not NFC", `${"x".repeat(12)}e\u0301`, false],
    ["a NUL", `${"x".repeat(12)}\u0000`, false],
    ["a line feed", `${"x".repeat(12)}\n`, false],
    ["a C1 control", `${"x".repeat(12)}\u0085`, false],
    ["a lone surrogate", `${"x".repeat(12)}\ud800`, false],
    ["a space", "correct horse battery staple", true],
  ])("C12: a chosen secret of %s: %s", (_name, text, expected) =>
    expect(isChosenSecret(text)).toBe(expected),
  );

  test("the day key's message is the date, one space and the salt, and no line feed", () =>
    expect(dayKeyMessage("2026-11-21", client.salt)).toEqual(utf8(`2026-11-21 ${client.salt}`)));
});
