/**
 * The name that a certificate must have for `tls_client_auth` (RFC 8705 §2.1.2): its subject, or one of its
 * alternative names. Each is compared in one spelling: what is equal to the RFCs is equal here, and nothing else.
 */
import { domainToASCII } from "node:url";
import { isIP, isIPv6 } from "node:net";
import {
  type AsnType,
  BmpString,
  fromBER,
  IA5String,
  NumericString,
  PrintableString,
  Utf8String,
} from "asn1js";
import type { CertificateName } from "../clients/client.ts";

/** RFC 4514 §3, and two more that every tool writes by name; others are written as dotted numbers. */
const KEYWORDS: Readonly<Record<string, string>> = {
  CN: "2.5.4.3",
  L: "2.5.4.7",
  ST: "2.5.4.8",
  O: "2.5.4.10",
  OU: "2.5.4.11",
  C: "2.5.4.6",
  STREET: "2.5.4.9",
  DC: "0.9.2342.19200300.100.1.25",
  UID: "0.9.2342.19200300.100.1.1",
  SERIALNUMBER: "2.5.4.5",
  EMAILADDRESS: "1.2.840.113549.1.9.1",
};
const OID = /^[0-2](?:\.(?:0|[1-9]\d{0,30})){1,30}$/;
/** One type and value with what ends it. Each character can be read in one way only. */
const ATTRIBUTE = /([^=,+\\"]{1,200})=((?:\\[0-9a-f]{2}|\\[ "#+,;<=>\\]|[^"+,;<>\\])*)(\+|,|$)/iy;
const HEX = /^#((?:[0-9a-f]{2})+)$/i;

/** A type and its value, and the parts that stand at one level of a name, in one order. */
type Rdn = readonly string[];

/** The spelling in which it is compared, undefined for what is no such name. */
export function comparableName({ name, value }: CertificateName): string | undefined {
  const comparable = READERS[name](value);
  return comparable === undefined ? undefined : `${name}:${comparable}`;
}

const READERS: Readonly<Record<CertificateName["name"], (value: string) => string | undefined>> = {
  subject_dn: readDn,
  san_dns: comparableDns,
  san_uri: (value) => (URL.canParse(value) && ASCII.test(value) ? value : undefined),
  san_ip: comparableIp,
  san_email: comparableEmail,
};
const ASCII = /^[\x21-\x7e]{1,2048}$/;

/** No wildcard: a certificate for any name proves none. */
const DNS_NAME = /^(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;

function comparableDns(value: string): string | undefined {
  const ascii = /^[\x21-\x7e]+$/.test(value) ? value.toLowerCase() : domainToASCII(value);
  return DNS_NAME.test(ascii) && ascii.length <= 253 ? ascii : undefined;
}

function comparableIp(value: string): string | undefined {
  if (isIP(value) === 0 || value.includes("%")) return undefined;
  return isIPv6(value) ? new URL(`http://[${value}]/`).hostname : value;
}

/** RFC 5321 §2.4: the part before the @ is its host's matter, so its case counts. */
function comparableEmail(value: string): string | undefined {
  const at = value.lastIndexOf("@");
  const local = value.slice(0, Math.max(at, 0));
  const domain = comparableDns(value.slice(at + 1));
  return ASCII.test(local) && domain !== undefined ? `${local}@${domain}` : undefined;
}

/** RFC 4514 §3; spaces around separators are passed over, as RFC 2253 §4 did. */
function readDn(text: string): string | undefined {
  const rdns: Rdn[] = [];
  let rdn: string[] = [];
  let isMore = true;
  ATTRIBUTE.lastIndex = 0;
  while (isMore) {
    const [, type = "", value = "", separator] = ATTRIBUTE.exec(text) ?? [];
    const attribute = separator === undefined ? undefined : readAttribute(type.trim(), value);
    if (attribute === undefined) return undefined;
    rdn.push(attribute);
    if (separator !== "+") {
      rdns.push(rdn);
      rdn = [];
    }
    isMore = separator !== "";
  }
  // The string begins with the end of the sequence (RFC 4514 §2.1).
  return comparableRdns(rdns.toReversed());
}

function readAttribute(type: string, value: string): string | undefined {
  const keyword = type.toUpperCase();
  const oid = Object.hasOwn(KEYWORDS, keyword) ? KEYWORDS[keyword] : type;
  if (oid === undefined || !OID.test(oid)) return undefined;
  const hex = HEX.exec(value.trim())?.[1];
  if (hex === undefined) {
    const text = value.trimStart().startsWith("#") ? undefined : unescaped(value);
    return text === undefined ? undefined : attributeOf(oid, text);
  }
  const ber = Buffer.from(hex, "hex");
  const { offset, result } = fromBER(ber);
  return offset === ber.length ? comparableAttribute(oid, result, ber) : undefined;
}

function unescaped(value: string): string | undefined {
  const parts = [...value.matchAll(/\\([0-9a-f]{2})|\\(.)|([^\\]+)/gisu)].map(
    ([, hex, special, plain]) =>
      hex === undefined ? Buffer.from(special ?? plain ?? "") : Buffer.from(hex, "hex"),
  );
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(parts));
  } catch {
    return undefined;
  }
}

/** The subject of a certificate, in the spelling of `comparableName`. */
export function comparableSubject(
  rdns: readonly (readonly { oid: string; value: AsnType }[])[],
): string | undefined {
  const read = rdns.map((rdn) =>
    rdn.map(({ oid, value }) => comparableAttribute(oid, value, new Uint8Array(value.toBER()))),
  );
  const known = read.filter((rdn): rdn is string[] => rdn.every((part) => part !== undefined));
  const comparable = known.length === read.length ? comparableRdns(known) : undefined;
  return comparable === undefined ? undefined : `subject_dn:${comparable}`;
}

function comparableRdns(rdns: readonly Rdn[]): string | undefined {
  // Nobody is an empty name.
  return rdns.length === 0 ? undefined : JSON.stringify(rdns.map((rdn) => rdn.toSorted()));
}

const STRINGS = [Utf8String, PrintableString, IA5String, BmpString, NumericString];

function comparableAttribute(oid: string, value: AsnType, ber: Uint8Array): string | undefined {
  if (!STRINGS.some((kind) => value instanceof kind)) {
    return `${oid}#${Buffer.from(ber).toString("hex")}`;
  }
  return attributeOf(oid, (value as Utf8String).valueBlock.value);
}

/**
 * RFC 5280 §7.1 by RFC 4518: NFKC, no case, and runs of spaces as one. What RFC 4518 maps to nothing, and a
 * control character above all, is no part of a name here.
 */
function attributeOf(oid: string, text: string): string | undefined {
  const prepared = text.normalize("NFKC");
  if (/\p{C}/u.test(text) || /\p{C}/u.test(prepared)) return undefined;
  return `${oid}=${prepared.toLowerCase().trim().replaceAll(/\s+/g, " ")}`;
}

/** By the tag of its GeneralName (RFC 5280 §4.2.1.6), in the spelling of `comparableName`. */
export function comparableAlternative(tag: number, bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes).toString("latin1");
  if (tag === 1) return named("san_email", text);
  if (tag === 2) return named("san_dns", text);
  if (tag === 6) return named("san_uri", text);
  if (tag !== 7) return undefined;
  if (bytes.length === 4) return named("san_ip", bytes.join("."));
  if (bytes.length !== 16) return undefined;
  const groups = Array.from({ length: 8 }, (_, i) =>
    Buffer.from(bytes)
      .readUInt16BE(i * 2)
      .toString(16),
  );
  return named("san_ip", groups.join(":"));
}

function named(name: CertificateName["name"], value: string): string | undefined {
  return ASCII.test(value) ? comparableName({ name, value }) : undefined;
}
