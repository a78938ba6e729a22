/**
 * JWTs that no reader may take, each from one that it does take: by form, encoding, JSON, header,
 * algorithm, key and signature. What a claim may be differs from reader to reader and is not here.
 */
import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

type Members = Record<string, unknown>;

export interface GoodJwt {
  /** For ES256, with a kid. */
  header: Members;
  claims: Members;
  privateKey: KeyObject;
  publicKey: KeyObject;
}

/** A compact JWS (RFC 7515 §7.1); text and bytes as they are, anything else as JSON. */
export function signEs256(privateKey: KeyObject, header: unknown, claims: unknown): string {
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${signature(privateKey, input).toString("base64url")}`;
}

function signature(privateKey: KeyObject, input: string): Buffer {
  return sign("sha256", Buffer.from(input), { key: privateKey, dsaEncoding: "ieee-p1363" });
}

function encode(part: unknown): string {
  const isRaw = typeof part === "string" || Buffer.isBuffer(part);
  return Buffer.from(isRaw ? part : JSON.stringify(part)).toString("base64url");
}

/** By name. One differs from the good one in nothing but what its name says. */
export function hostileJwts(good: GoodJwt): Record<string, string> {
  return { ...badForms(good), ...badJson(good), ...badHeaders(good), ...badSignatures(good) };
}

function badForms({ header, claims, privateKey }: GoodJwt): Record<string, string> {
  const token = signEs256(privateKey, header, claims);
  const [head = "", body = "", tail = ""] = token.split(".");
  const jwe = encode({ alg: "dir", enc: "A256GCM", kid: header["kid"] });
  const shapes = {
    "one letter": "x",
    "a dot": ".",
    "two dots": "..",
    "three dots": "...",
    "one part": head,
    "two parts": `${head}.${body}`,
    "four parts": `${token}.${tail}`,
    "an empty header": `.${body}.${tail}`,
    "an empty payload": `${head}..${tail}`,
    "an empty signature": `${head}.${body}.`,
    "a dot before": `.${token}`,
    "a dot after": `${token}.`,
    twice: `${token}${token}`,
    "JWE, RFC 7516 §7.1": `${jwe}.AA.AAAAAAAAAAAAAAAA.${body}.AAAAAAAAAAAAAAAAAAAAAA`,
    "JWE of a direct key": `${jwe}..AAAAAAAAAAAAAAAA.${body}.AAAAAAAAAAAAAAAAAAAAAA`,
    "the JSON serialization": JSON.stringify({ protected: head, payload: body, signature: tail }),
    "the JSON serialization, encoded": encode({ payload: body, signature: tail }),
    "a space before": ` ${token}`,
    "a space after": `${token} `,
    "a line end after": `${token}\n`,
    "NUL after": `${token}\0`,
    "a comma and another": `${token},${token}`,
    "8,193 characters": `${head}.${body}.${"A".repeat(8193 - head.length - body.length - 2)}`,
  };
  const spellings = [head, body, tail].flatMap((part, index) => {
    const put = (text: string): string =>
      [head, body, tail].map((one, at) => (at === index ? text : one)).join(".");
    return Object.entries({
      padded: `${part}=`,
      "padded twice": `${part}==`,
      "a letter more": `${part}A`,
      "five letters more": `${part}AAAAA`,
      "a space in it": `${part.slice(0, 4)} ${part.slice(4)}`,
      "a line end in it": `${part.slice(0, 4)}\n${part.slice(4)}`,
      "base64's + in it": `${part.slice(0, 4)}+${part.slice(5)}`,
      "base64's / in it": `${part.slice(0, 4)}/${part.slice(5)}`,
      "a percent sign in it": `${part.slice(0, 4)}%41${part.slice(4)}`,
    }).map(([name, text]) => [`part ${index + 1} ${name}`, put(text)] as const);
  });
  return {
    ...shapes,
    ...Object.fromEntries(spellings),
    ...straySpellings({ header, claims, privateKey }),
  };
}

/** For each part, other spellings that decoders take for the same bytes: stray bits in the last letter. */
function straySpellings(good: Pick<GoodJwt, "header" | "claims" | "privateKey">) {
  const spellings: Record<string, string> = {};
  for (const part of [0, 1] as const) {
    for (const pad of ["", "x", "xx"]) {
      const [header, claims] = [good.header, good.claims].map((members, index) =>
        index === part && pad !== "" ? { ...members, pad } : members,
      );
      const parts = [encode(header), encode(claims)];
      const spelled = withStrayBits(parts[part] ?? "");
      if (spelled === undefined) continue;
      parts[part] = spelled;
      const input = parts.join(".");
      const name = `part ${part + 1} with stray bits, ${pad.length} more letters`;
      spellings[name] = `${input}.${signature(good.privateKey, input).toString("base64url")}`;
    }
  }
  const token = signEs256(good.privateKey, good.header, good.claims);
  spellings["part 3 with stray bits"] = withStrayBits(token) ?? "";
  return spellings;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

function withStrayBits(text: string): string | undefined {
  const last = text.slice(text.lastIndexOf(".") + 1);
  const other = ALPHABET[ALPHABET.indexOf(text.at(-1) ?? "") + 1];
  return last.length % 4 === 0 || other === undefined ? undefined : text.slice(0, -1) + other;
}

/** What is wrong with the JSON in the header, and in the payload; all are signed. */
function badJson({ header, claims, privateKey }: GoodJwt): Record<string, string> {
  const jwts: Record<string, string> = {};
  for (const [where, members] of Object.entries({ header, claims })) {
    for (const [name, text] of Object.entries(notStrictJson(members))) {
      jwts[`${where}: ${name}`] =
        where === "header"
          ? signEs256(privateKey, text, claims)
          : signEs256(privateKey, header, text);
    }
  }
  return jwts;
}

function notStrictJson(members: Members): Record<string, string | Buffer> {
  const json = JSON.stringify(members);
  const open = json.slice(0, -1);
  const bytes = (...hex: string[]): Buffer =>
    Buffer.concat([
      Buffer.from(`${open},"x":"`),
      Buffer.from(hex.join(""), "hex"),
      Buffer.from('"}'),
    ]);
  const twice = Object.entries(members).flatMap(([name, value]) => {
    const escaped = `\\u${name.charCodeAt(0).toString(16).padStart(4, "0")}${name.slice(1)}`;
    return [
      [`${name} twice`, `${open},"${name}":${JSON.stringify(value)}}`],
      [`${name} twice, another first`, `{"${name}":"x",${json.slice(1)}`],
      [`${name} twice, escaped`, `${open},"${escaped}":"x"}`],
    ];
  });
  return {
    "no JSON": "no JSON",
    "half of it": json.slice(0, -10),
    "without its {": json.slice(1),
    null: "null",
    "a list": `[${json}]`,
    "an empty list": "[]",
    "a string": JSON.stringify(json),
    "a number": "1",
    true: "true",
    "an empty object": "{}",
    "a space alone": " ",
    "more after it": `${json} x`,
    "two objects": json + json,
    "NUL after it": `${json}\0`,
    "a comma more": `${open},}`,
    "single quotes": json.replaceAll('"', "'"),
    "a comment": `${open}/* */}`,
    "a byte order mark": `\uFEFF${json}`,
    "UTF-16": Buffer.from(json, "utf16le"),
    "a byte that is no UTF-8": bytes("ff"),
    "an overlong UTF-8": bytes("c0af"),
    "a surrogate in UTF-8": bytes("eda080"),
    "half a UTF-8": bytes("e282"),
    "a lone surrogate": `${open},"x":"\\ud800"}`,
    "a control character": `${open},"x":"\u0001"}`,
    "nested deep": `${open},"x":${"[".repeat(700)}${"]".repeat(700)}}`,
    "a number without end": `${open},"x":1e999999999}`,
    NaN: `${open},"x":NaN}`,
    ...Object.fromEntries(twice),
  };
}

function badHeaders({ header, claims, privateKey, publicKey }: GoodJwt): Record<string, string> {
  const foreign = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = foreign.publicKey.export({ format: "jwk" });
  const jwts: Record<string, string> = {};
  const put = (name: string, changes: Members, by = privateKey): void => {
    jwts[name] = signEs256(by, { ...header, ...changes }, claims);
  };
  for (const crit of [[], ["exp"], ["b64"], "b64", null, ["alg"], [1]]) {
    put(`crit ${JSON.stringify(crit)}`, { crit, b64: true, exp: 1 });
  }
  put("crit alone", { crit: ["exp"] });
  for (const b64 of [true, false, null, "false"]) put(`b64 ${String(b64)}`, { b64 });
  const typs = [
    "at",
    "",
    null,
    1,
    true,
    ["JWT"],
    ["at+jwt"],
    {},
    "rt+jwt",
    "dpop+jwt",
    "secevent+jwt",
  ];
  for (const typ of typs) put(`typ ${JSON.stringify(typ)}`, { typ });
  const kids = [null, 1, true, {}, [header["kid"]], "", "x".repeat(200), "../../etc/passwd", "'--"];
  kids.push("__proto__", "constructor", "a\0", "\u0000", `${String(header["kid"])}\0`, "😀");
  for (const kid of kids) put(`kid ${JSON.stringify(kid).slice(0, 30)}`, { kid });
  put("a foreign key under our kid", {}, foreign.privateKey);
  put("a foreign key in jwk", { jwk: { ...jwk, kid: header["kid"] } }, foreign.privateKey);
  put("a foreign key in jwk alone", { jwk, kid: undefined }, foreign.privateKey);
  put("a foreign key at jku", { jku: "http://127.0.0.1:1/jwks" }, foreign.privateKey);
  put("a foreign key at x5u", { x5u: "http://127.0.0.1:1/x5u" }, foreign.privateKey);
  put("a foreign key in x5c", { x5c: [spki(foreign.publicKey)] }, foreign.privateKey);
  const algorithms = ["ES384", "ES512", "ES256K", "RS256", "PS256", "EdDSA", "Ed25519", "es256"];
  for (const alg of [...algorithms, "ES256 ", "", null, 1, true, ["ES256"], {}, undefined]) {
    put(`alg ${JSON.stringify(alg) ?? "absent"}`, { alg });
  }
  const input = (alg: unknown): string => `${encode({ ...header, alg })}.${encode(claims)}`;
  for (const alg of ["none", "None", "NONE", "nOnE"]) {
    jwts[`alg ${alg}, unsigned`] = `${input(alg)}.`;
    jwts[`alg ${alg}, a letter for a signature`] = `${input(alg)}.AA`;
    put(`alg ${alg}, signed`, { alg });
  }
  const secrets = {
    PEM: publicKey.export({ type: "spki", format: "pem" }),
    DER: publicKey.export({ type: "spki", format: "der" }),
    JWK: JSON.stringify(publicKey.export({ format: "jwk" })),
    nothing: "",
  };
  for (const [name, secret] of Object.entries(secrets)) {
    for (const [alg, digest] of Object.entries({
      HS256: "sha256",
      HS384: "sha384",
      HS512: "sha512",
    })) {
      const mac = createHmac(digest, secret).update(input(alg)).digest("base64url");
      jwts[`${alg} by our public key as ${name}`] = `${input(alg)}.${mac}`;
    }
  }
  return jwts;
}

/** The order of P-256's group (SEC 2 §2.4.2). */
const ORDER = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

function badSignatures({ header, claims, privateKey }: GoodJwt): Record<string, string> {
  const input = `${encode(header)}.${encode(claims)}`;
  const good = signature(privateKey, input);
  const zero = "00".repeat(32);
  const one = `${"00".repeat(31)}01`;
  const hex = (...parts: string[]): Buffer => Buffer.from(parts.join(""), "hex");
  const [r, s] = [good.toString("hex", 0, 32), good.toString("hex", 32)];
  const other = signature(privateKey, `${encode(header)}.${encode({ ...claims, other: 1 })}`);
  const signatures: Record<string, Buffer> = {
    "r = s = 0": hex(zero, zero),
    "r = 0": hex(zero, s),
    "s = 0": hex(r, zero),
    "r = s = 1": hex(one, one),
    "r = s = n": hex(ORDER, ORDER),
    "r = n": hex(ORDER, s),
    "s = n": hex(r, ORDER),
    "r and s of ones": hex("ff".repeat(64)),
    "r and s changed over": hex(s, r),
    "a byte short": good.subarray(1),
    "the last byte gone": good.subarray(0, 63),
    "a byte more": Buffer.concat([good, hex("00")]),
    "a zero before": Buffer.concat([hex("00"), good]),
    twice: Buffer.concat([good, good]),
    "one byte": hex("00"),
    DER: sign("sha256", Buffer.from(input), privateKey),
    "a bit flipped": Buffer.from(good.map((byte, at) => (at === 40 ? byte ^ 1 : byte))),
    "another token's": other,
    "SHA-512's": sign("sha512", Buffer.from(input), {
      key: privateKey,
      dsaEncoding: "ieee-p1363",
    }),
  };
  return Object.fromEntries(
    Object.entries(signatures).map(([name, bytes]) => [
      `signature: ${name}`,
      `${input}.${bytes.toString("base64url")}`,
    ]),
  );
}

function spki(key: KeyObject): string {
  return key.export({ type: "spki", format: "der" }).toString("base64");
}
