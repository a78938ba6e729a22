/** A certificate as it is judged (RFC 5280): OpenSSL reads it first, and what Node does not show is read from its DER. */
import { createHash, X509Certificate } from "node:crypto";
import {
  type AsnType,
  BitString,
  Boolean as AsnBoolean,
  Constructed,
  fromBER,
  Integer,
  ObjectIdentifier,
  OctetString,
  Primitive,
  Sequence,
} from "asn1js";
import { comparableAlternative, comparableSubject } from "./certificate-name.ts";

export interface Certificate {
  x509: X509Certificate;
  /** SHA-256 of its DER, base64url (RFC 8705 §3.1). */
  thumbprint: string;
  /** Its subject and alternative names, as `comparableName` spells them. */
  names: ReadonlySet<string>;
  /** Epoch seconds. */
  notBefore: number;
  notAfter: number;
  /** Its key usage allows signatures, or it has none. */
  maySign: boolean;
  /** How many authorities may stand between it and the end. */
  pathLength: number;
  /** Its critical extensions are all known here. */
  isUnderstood: boolean;
}

const SUBJECT_ALTERNATIVE_NAME = "2.5.29.17";
const KEY_USAGE = "2.5.29.15";
const BASIC_CONSTRAINTS = "2.5.29.19";
/** Extended key usage is read by Node; policies are asked for nowhere. Constraints of names are not known. */
const UNDERSTOOD = new Set([
  SUBJECT_ALTERNATIVE_NAME,
  KEY_USAGE,
  BASIC_CONSTRAINTS,
  "2.5.29.37",
  "2.5.29.32",
]);
const NAME_CONSTRAINTS = "2.5.29.30";

/** RFC 7515 §4.1.8, RFC 8705 §3.1. */
export function thumbprintOf(der: Uint8Array): string {
  return createHash("sha256").update(der).digest("base64url");
}

/** Undefined for what is no X.509 certificate in DER, to the last byte. */
export function readCertificate(der: Uint8Array): Certificate | undefined {
  try {
    const x509 = new X509Certificate(der);
    const { subject, extensions } = readFields(der);
    const usage = extensions.get(KEY_USAGE)?.value;
    const constraints = extensions.get(BASIC_CONSTRAINTS)?.value;
    const length =
      constraints && parts(constraints, Sequence).find((one) => one instanceof Integer);
    return {
      x509,
      thumbprint: thumbprintOf(der),
      names: new Set([subject, ...alternatives(extensions)].filter((name) => name !== undefined)),
      notBefore: x509.validFromDate.getTime() / 1000,
      notAfter: x509.validToDate.getTime() / 1000,
      maySign:
        usage === undefined || ((as(usage, BitString).valueBlock.valueHexView[0] ?? 0) & 128) > 0,
      pathLength: length ? length.valueBlock.valueDec : Infinity,
      isUnderstood: [...extensions].every(
        ([oid, { isCritical }]) => UNDERSTOOD.has(oid) || (!isCritical && oid !== NAME_CONSTRAINTS),
      ),
    };
  } catch {
    return undefined;
  }
}

type Extensions = ReadonlyMap<string, { isCritical: boolean; value: AsnType }>;

/** RFC 5280 §4.1. */
function readFields(der: Uint8Array): { subject: string | undefined; extensions: Extensions } {
  const [tbs] = parts(decode(der), Sequence);
  const fields = parts(tbs, Sequence);
  const isTagged = (field: AsnType, tag: number): boolean =>
    field.idBlock.tagClass === 3 && field.idBlock.tagNumber === tag;
  const version = fields[0] && isTagged(fields[0], 0) ? 1 : 0;
  const rdns = parts(fields[version + 4], Sequence).map((rdn) =>
    parts(rdn, Constructed).map((attribute) => {
      const [type, value] = parts(attribute, Sequence);
      if (!value) throw new TypeError("an attribute without a value");
      return { oid: oidOf(type), value };
    }),
  );
  const extensions = new Map<string, { isCritical: boolean; value: AsnType }>();
  const tagged = fields.slice(version + 6).find((field) => isTagged(field, 3));
  for (const extension of tagged ? parts(parts(tagged, Constructed)[0], Sequence) : []) {
    const [type, ...rest] = parts(extension, Sequence);
    const value = as(rest.at(-1), OctetString).valueBlock.valueHexView;
    const [critical] = rest;
    const oid = oidOf(type);
    // RFC 5280 §4.2: not twice.
    if (extensions.has(oid)) throw new TypeError("an extension twice");
    const isCritical = critical instanceof AsnBoolean && critical.valueBlock.value;
    extensions.set(oid, { isCritical, value: decode(value) });
  }
  return { subject: comparableSubject(rdns), extensions };
}

function alternatives(extensions: Extensions): (string | undefined)[] {
  const value = extensions.get(SUBJECT_ALTERNATIVE_NAME)?.value;
  if (!value) return [];
  return parts(value, Sequence).map((name) =>
    name instanceof Primitive
      ? comparableAlternative(name.idBlock.tagNumber, name.valueBlock.valueHexView)
      : undefined,
  );
}

/** OpenSSL reads PEM as well, and passes over what stands after a certificate: here it is no certificate. */
function decode(bytes: Uint8Array): AsnType {
  const { offset, result } = fromBER(bytes);
  if (offset !== bytes.length) throw new TypeError("not one value of ASN.1");
  return result;
}

/** @throws {TypeError} when it is of another kind */
function as<T>(value: unknown, kind: abstract new (...args: never[]) => T): T {
  if (value instanceof kind) return value;
  throw new TypeError("another kind of ASN.1");
}

function parts(value: unknown, kind: abstract new (...args: never[]) => Constructed): AsnType[] {
  return as(value, kind).valueBlock.value;
}

function oidOf(value: unknown): string {
  return as(value, ObjectIdentifier).valueBlock.toString();
}
