/** An issuer as a resource server sees it: a key set over HTTP that a test controls, and tokens of any shape. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import type { SigningAlgorithm } from "@daykey/common/protocol";
import type { JWK } from "jose";

export interface SigningKey {
  kid: string;
  algorithm: SigningAlgorithm;
  privateKey: KeyObject;
  publicKey: KeyObject;
  /** As it stands in a key set. */
  jwk: JWK;
}

/** @param kid random by default */
export function createSigningKey(
  algorithm: SigningAlgorithm = "ES256",
  kid: string = randomBytes(8).toString("hex"),
): SigningKey {
  const pair = {
    ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
    RS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
    Ed25519: () => generateKeyPairSync("ed25519"),
    EdDSA: () => generateKeyPairSync("ed25519"),
  }[algorithm]();
  const jwk = { ...pair.publicKey.export({ format: "jwk" }), kid, alg: algorithm, use: "sig" };
  return { kid, algorithm, ...pair, jwk };
}

export function signatureOf({ algorithm, privateKey }: SigningKey, input: string): Buffer {
  const data = Buffer.from(input);
  if (algorithm === "Ed25519" || algorithm === "EdDSA") return sign(null, data, privateKey);
  return sign("sha256", data, { key: privateKey, dsaEncoding: "ieee-p1363" });
}

/** Text and bytes as they are, anything else as JSON; base64url. */
export function encodePart(part: unknown): string {
  const isRaw = typeof part === "string" || Buffer.isBuffer(part);
  return Buffer.from(isRaw ? part : JSON.stringify(part)).toString("base64url");
}

/** A compact JWS (RFC 7515 §7.1) of whatever is given, its signature genuine. */
export function signParts(key: SigningKey, header: unknown, payload: unknown): string {
  const input = `${encodePart(header)}.${encodePart(payload)}`;
  return `${input}.${signatureOf(key, input).toString("base64url")}`;
}

export interface HttpStub {
  url: string;
  /** How many requests came. */
  requests(): number;
  /** From now on this answers. */
  answer(listener: RequestListener): void;
  /** Resolves when the request of this number, counted from 1, has come. */
  requested(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** An HTTP server that counts; by default it answers 404. */
export async function startHttpStub(): Promise<HttpStub> {
  let listener: RequestListener = (_req, res) => res.writeHead(404).end();
  let requests = 0;
  const server = createServer((req, res) => {
    requests += 1;
    listener(req, res);
    server.emit("counted");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => requests,
    answer: (next) => (listener = next),
    async requested(count) {
      while (requests < count) await once(server, "counted");
    },
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

export interface TestIssuer extends Omit<HttpStub, "url"> {
  jwksUri: string;
  /** From now on the key set holds these, as they are. */
  publish(...keys: readonly unknown[]): void;
}

export async function startIssuer(): Promise<TestIssuer> {
  const { url, ...stub } = await startHttpStub();
  return {
    ...stub,
    jwksUri: `${url}/jwks.json`,
    publish(...keys) {
      const body = JSON.stringify({ keys });
      stub.answer((_req, res) => res.end(body));
    },
  };
}
