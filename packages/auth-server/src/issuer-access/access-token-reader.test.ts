import { sign } from "node:crypto";
import type { AccessTokenClaims } from "@daykey/common/access-token";
import { beforeEach, expect, test } from "vitest";
import { createSigningKey, generateSigningKey, type SigningKey } from "../keys/signer.ts";
import { type AccessTokenReader, createAccessTokenReader } from "./access-token-reader.ts";

const ISSUER = "https://auth.example.com";
const CLAIMS: AccessTokenClaims = {
  iss: ISSUER,
  sub: "client",
  client_id: "client",
  aud: "https://api.example.com",
  iat: 1_800_000_000,
  exp: 1_800_000_600,
  jti: "AAAAAAAAAAAAAAAAAAAAAA",
  scope: "time:read",
  gid: "018f0000-0000-7000-8000-000000000000",
  ep: 0,
  cred: "abcdefgh",
};

let key: SigningKey;
/** The JWKS. */
let published: SigningKey[];
let verifications: number;
let read: AccessTokenReader;
beforeEach(async () => {
  const { kid, privateKey } = await generateSigningKey("ES256");
  key = await createSigningKey(kid, "ES256", privateKey);
  published = [key];
  verifications = 0;
  read = createAccessTokenReader({
    issuer: ISSUER,
    keys: {
      signerOf(token) {
        verifications += 1;
        return published.find((one) => one.verify(token));
      },
      hasSigner: (kidOfToken) => published.some((one) => one.kid === kidOfToken),
      opaqueKeyOf: () => undefined,
    },
  });
});

test("a token is verified once, and read the same again", () => {
  const token = key.sign(CLAIMS);
  const first = read(token);
  expect(first).toEqual({ claims: CLAIMS, kid: key.kid });
  expect(read(token)).toEqual(first);
  expect(verifications).toBe(1);
});

test("a token that was read is not, once its key has left the JWKS", () => {
  const token = key.sign(CLAIMS);
  expect(read(token)).toBeDefined();
  published = [];
  expect(read(token)).toBeUndefined();
});

test("what is not genuine is looked at each time, also beside a token that is", () => {
  const token = key.sign(CLAIMS);
  read(token);
  const [head, claims = "", signature] = token.split(".");
  const other = Buffer.from(JSON.stringify({ ...CLAIMS, scope: "admin" })).toString("base64url");
  const forged = [
    `${head}.${other}.${signature}`,
    `${head}.${claims}.${key.sign({ ...CLAIMS, ep: 1 }).split(".")[2]}`,
    `${token}=`,
    key.sign({ ...CLAIMS, iss: "https://other.example.com" }),
  ];
  for (const text of [...forged, ...forged]) expect(read(text)).toBeUndefined();
  // What is not written as a JWT costs no signature.
  expect(verifications).toBe(1 + 2 * (forged.length - 1));
});

test("a payload that is signed and no token of ours is not read: no JSON, twice a name, other types, bytes", async () => {
  const { kid, privateKey } = await generateSigningKey("ES256");
  key = await createSigningKey(kid, "ES256", privateKey);
  published = [key];
  const header = Buffer.from(JSON.stringify({ alg: "ES256", typ: "at+jwt", kid })).toString(
    "base64url",
  );
  const signed = (payload: Buffer | string): string => {
    const input = `${header}.${Buffer.from(payload).toString("base64url")}`;
    const options = { key: privateKey, dsaEncoding: "ieee-p1363" as const };
    return `${input}.${sign("sha256", Buffer.from(input), options).toString("base64url")}`;
  };
  const good = JSON.stringify(CLAIMS);
  expect(read(signed(good))?.claims).toEqual(CLAIMS);
  const hostile: (Buffer | string)[] = [
    "",
    "no JSON",
    "null",
    "[]",
    '"text"',
    "1",
    good.slice(1),
    `${good} x`,
    `${good.slice(0, -1)},"scope":"daykey:admin"}`,
    `${good.slice(0, -1)},"sc\\u006fpe":"daykey:admin"}`,
    Buffer.concat([
      Buffer.from(good.slice(0, -1)),
      Buffer.from(',"x":"'),
      Buffer.from([0xff, 0x22, 0x7d]),
    ]),
    `${good.slice(0, -1)},"x":${"[".repeat(5000)}${"]".repeat(5000)}}`,
    ...["nbf", "exp", "iat", "ep"].flatMap((name) =>
      ["x", -1, 1.5, null, [1]].map((value) => JSON.stringify({ ...CLAIMS, [name]: value })),
    ),
    JSON.stringify({ ...CLAIMS, aud: [CLAIMS.aud] }),
    JSON.stringify({ ...CLAIMS, cred: undefined }),
  ];
  for (const payload of hostile) expect(read(signed(payload)), String(payload)).toBeUndefined();
});
