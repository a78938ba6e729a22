/**
 * The certificate that the proxy of docker-compose.yml has until it is given another: self-signed, for
 * the names it is reached by, so that a client who trusts this one file trusts nothing else. Node can
 * read certificates and not make them; this writes the few bytes of one (RFC 5280, in DER).
 */
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { isIPv4 } from "node:net";

const SEQUENCE = 0x30;
const SET = 0x31;
const BOOLEAN = 0x01;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
const DNS_NAME = 0x82;
const IP_ADDRESS = 0x87;

const OID = {
  commonName: "0603550403",
  basicConstraints: "0603551d13",
  subjectAltName: "0603551d11",
  extendedKeyUsage: "0603551d25",
  serverAuth: "06082b06010505070301",
  ecdsaWithSha256: "06082a8648ce3d040302",
};

/**
 * A P-256 key and its certificate, both PEM, valid from a day before `now` (epoch seconds).
 * @param names host names and IPv4 addresses
 */
export function selfSignedCertificate({
  names,
  now,
  days,
}: {
  names: readonly string[];
  now: number;
  days: number;
}): { key: string; certificate: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = der(SEQUENCE, oid("ecdsaWithSha256"));
  const name = der(
    SEQUENCE,
    der(SET, der(SEQUENCE, oid("commonName"), der(UTF8_STRING, Buffer.from("Daykey")))),
  );
  const body = der(
    SEQUENCE,
    der(VERSION, der(INTEGER, Buffer.of(2))),
    // A leading 1 keeps it positive and of full length.
    der(INTEGER, Buffer.of(1), randomBytes(15)),
    algorithm,
    name,
    der(SEQUENCE, utcTime(now - 86_400), utcTime(now + days * 86_400)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(
      EXTENSIONS,
      der(
        SEQUENCE,
        // Critical, and empty: it signs no other certificate.
        der(
          SEQUENCE,
          oid("basicConstraints"),
          der(BOOLEAN, Buffer.of(0xff)),
          der(OCTET_STRING, der(SEQUENCE)),
        ),
        extension("extendedKeyUsage", der(SEQUENCE, oid("serverAuth"))),
        extension("subjectAltName", der(SEQUENCE, ...names.map(generalName))),
      ),
    ),
  );
  const certificate = der(SEQUENCE, body, algorithm, bitString(sign("sha256", body, privateKey)));
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    certificate: pem(certificate),
  };
}

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.of(tag, ...lengthBytes(content.length)), content]);
}

/** The shortest form, as DER wants; all here is far below 65,536. */
function lengthBytes(length: number): readonly number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}

function oid(name: keyof typeof OID): Buffer {
  return Buffer.from(OID[name], "hex");
}

function extension(name: keyof typeof OID, value: Uint8Array): Buffer {
  return der(SEQUENCE, oid(name), der(OCTET_STRING, value));
}

function bitString(content: Uint8Array): Buffer {
  return der(BIT_STRING, Buffer.of(0), content);
}

/** Two digits a year, which is what RFC 5280 §4.1.2.5 wants until 2049. */
function utcTime(seconds: number): Buffer {
  const digits = new Date(seconds * 1000).toISOString().replaceAll(/\D/g, "");
  return der(UTC_TIME, Buffer.from(`${digits.slice(2, 14)}Z`));
}

function generalName(name: string): Buffer {
  return isIPv4(name)
    ? der(IP_ADDRESS, Buffer.from(name.split(".").map(Number)))
    : der(DNS_NAME, Buffer.from(name));
}

function pem(certificate: Buffer): string {
  const lines = certificate.toString("base64").replaceAll(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
