/** Proofs of DPoP (RFC 9449), good ones and those with one thing wrong, for every door that takes them. */
import { createHash, generateKeyPairSync, type KeyObject, randomUUID, sign } from "node:crypto";

type Members = Record<string, unknown>;

export interface ProofOptions {
  /** `POST` by default. */
  method?: string;
  uri: string;
  accessToken?: string;
  nonce?: string;
  /** Epoch seconds. */
  at?: number;
  /** In place of what stands there otherwise; undefined takes it away. */
  header?: Members;
  claims?: Members;
}

export interface TestProofKey {
  jkt: string;
  jwk: Members;
  proof(options: ProofOptions): string;
}

const encode = (value: unknown): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const sha256 = (text: string): string => createHash("sha256").update(text).digest("base64url");

export function createProofKey(algorithm: "ES256" | "Ed25519" = "ES256"): TestProofKey {
  const { publicKey, privateKey } =
    algorithm === "ES256"
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : generateKeyPairSync("ed25519");
  const jwk = publicKey.export({ format: "jwk" }) as Members;
  const { crv, kty, x, y } = jwk;
  const jkt = sha256(JSON.stringify(kty === "EC" ? { crv, kty, x, y } : { crv, kty, x }));
  return {
    jkt,
    jwk,
    proof({ method = "POST", uri, accessToken, nonce, at, header, claims }) {
      const head = { typ: "dpop+jwt", alg: algorithm, jwk, ...header };
      const payload = {
        jti: randomUUID(),
        htm: method,
        htu: uri,
        iat: Math.floor(at ?? Date.now() / 1000),
        ...(accessToken !== undefined && { ath: sha256(accessToken) }),
        ...(nonce !== undefined && { nonce }),
        ...claims,
      };
      return signed(head, payload, privateKey);
    },
  };
}

function signed(header: unknown, payload: unknown, privateKey: KeyObject): string {
  const text = `${encode(header)}.${encode(payload)}`;
  const digest = privateKey.asymmetricKeyType === "ec" ? "sha256" : null;
  const signature = sign(digest, Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" });
  return `${text}.${signature.toString("base64url")}`;
}

const other = createProofKey();
const ed25519 = createProofKey("Ed25519");

/** What is wrong, and what is sent instead of the good proof. `at` is epoch seconds. */
export const HOSTILE_PROOFS: readonly [
  name: string,
  make: (key: TestProofKey, good: ProofOptions & { at: number }) => string,
][] = [
  ["no JWT", () => "proof"],
  ["two JWTs in one line", (key, good) => `${key.proof(good)}, ${key.proof(good)}`],
  ["5,000 characters", (key, good) => key.proof({ ...good, claims: { pad: "x".repeat(5000) } })],
  ["no typ", (key, good) => key.proof({ ...good, header: { typ: undefined } })],
  ["another typ", (key, good) => key.proof({ ...good, header: { typ: "at+jwt" } })],
  ["no alg", (key, good) => key.proof({ ...good, header: { alg: undefined } })],
  ["alg none", (key, good) => key.proof({ ...good, header: { alg: "none" } })],
  ["alg HS256", (key, good) => key.proof({ ...good, header: { alg: "HS256" } })],
  ["alg of another kind of key", (key, good) => key.proof({ ...good, header: { alg: "EdDSA" } })],
  ["crit", (key, good) => key.proof({ ...good, header: { crit: ["exp"] } })],
  ["no jwk", (key, good) => key.proof({ ...good, header: { jwk: undefined } })],
  ["a jwk in a list", (key, good) => key.proof({ ...good, header: { jwk: [key.jwk] } })],
  [
    "a private jwk",
    (key, good) => key.proof({ ...good, header: { jwk: { ...key.jwk, d: "AAAA" } } }),
  ],
  [
    "a symmetric jwk",
    (key, good) => key.proof({ ...good, header: { jwk: { kty: "oct", k: "AAAA" }, alg: "HS256" } }),
  ],
  ["the jwk of another", (key, good) => key.proof({ ...good, header: { jwk: other.jwk } })],
  [
    "a point that is not on the curve",
    (key, good) => key.proof({ ...good, header: { jwk: { ...key.jwk, y: key.jwk["x"] } } }),
  ],
  [
    "an Ed25519 point of small order",
    (_key, good) =>
      ed25519.proof({
        ...good,
        header: { jwk: { kty: "OKP", crv: "Ed25519", x: "A".repeat(43) } },
      }),
  ],
  [
    "an x of two spellings",
    (key, good) =>
      key.proof({ ...good, header: { jwk: { ...key.jwk, x: `${String(key.jwk["x"])}=` } } }),
  ],
  ["no jti", (key, good) => key.proof({ ...good, claims: { jti: undefined } })],
  ["a jti that is a number", (key, good) => key.proof({ ...good, claims: { jti: 7 } })],
  ["an empty jti", (key, good) => key.proof({ ...good, claims: { jti: "" } })],
  ["a jti of 129", (key, good) => key.proof({ ...good, claims: { jti: "j".repeat(129) } })],
  ["a jti with a line break", (key, good) => key.proof({ ...good, claims: { jti: "a\nb" } })],
  ["no htm", (key, good) => key.proof({ ...good, claims: { htm: undefined } })],
  ["another htm", (key, good) => key.proof({ ...good, claims: { htm: "PATCH" } })],
  [
    "htm in small letters",
    (key, good) => key.proof({ ...good, claims: { htm: (good.method ?? "POST").toLowerCase() } }),
  ],
  ["no htu", (key, good) => key.proof({ ...good, claims: { htu: undefined } })],
  ["htu in a list", (key, good) => key.proof({ ...good, claims: { htu: [good.uri] } })],
  ["htu of another path", (key, good) => key.proof({ ...good, uri: `${good.uri}/x` })],
  [
    "htu of a longer host",
    (key, good) => key.proof({ ...good, uri: afterHost(good.uri, ".evil") }),
  ],
  ["htu of another port", (key, good) => key.proof({ ...good, uri: afterHost(good.uri, ":444") })],
  ["htu of http", (key, good) => key.proof({ ...good, uri: good.uri.replace("https:", "ftp:") })],
  ["htu with a user", (key, good) => key.proof({ ...good, uri: good.uri.replace("//", "//u@") })],
  ["htu that is a path", (key, good) => key.proof({ ...good, uri: new URL(good.uri).pathname })],
  ["no iat", (key, good) => key.proof({ ...good, claims: { iat: undefined } })],
  ["iat in a text", (key, good) => key.proof({ ...good, claims: { iat: String(good.at) } })],
  ["iat of long ago", (key, good) => key.proof({ ...good, at: good.at - 365 })],
  ["iat far ahead", (key, good) => key.proof({ ...good, at: good.at + 305 })],
  ["iat beyond numbers", (key, good) => key.proof({ ...good, claims: { iat: 1e300 } })],
  ["a changed claim", (key, good) => tampered(key.proof(good))],
  ["no signature", (key, good) => key.proof(good).replace(/\.[\w-]+$/, ".")],
  ["a signature in DER", (key, good) => key.proof(good).replace(/\.[\w-]+$/, ".MAYCAQECAQE")],
  ["r and s of zero", (key, good) => key.proof(good).replace(/\.[\w-]+$/, `.${"A".repeat(86)}`)],
];

/** Those of a proof with an access token besides. */
export const HOSTILE_TOKEN_PROOFS: typeof HOSTILE_PROOFS = [
  ...HOSTILE_PROOFS,
  ["no ath", (key, good) => key.proof({ ...good, claims: { ath: undefined } })],
  ["ath of another token", (key, good) => key.proof({ ...good, accessToken: "another" })],
  ["another key, whole", (_key, good) => other.proof(good)],
];

function afterHost(uri: string, added: string): string {
  const { origin } = new URL(uri);
  return `${origin}${added}${uri.slice(origin.length)}`;
}

function tampered(proof: string): string {
  const [header, payload = "", signature] = proof.split(".");
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as Members;
  return `${header}.${encode({ ...claims, jti: "another" })}.${signature}`;
}
