/**
 * A client's certificate as a proxy forwards it (RFC 9440): a byte sequence of a structured field, and the
 * chain as a list of them. The reader is strict: one line, one spelling, no parameters. Whether whoever
 * sent the fields may be believed is the caller's to know, and what a certificate is worth too.
 */
import { fromBase64 } from "./bytes.ts";

const CLIENT_CERT = "client-cert";
const CLIENT_CERT_CHAIN = "client-cert-chain";

/** A certificate in DER, and those that the client sent with it, in its order. */
export interface ClientCertificate {
  der: Uint8Array;
  chain: readonly Uint8Array[];
}

/** No certificate of a client comes near it. */
const MAX_CERTIFICATE_BYTES = 8192;
const MAX_CHAIN = 8;

const BYTES = /^ *:([A-Za-z0-9+/]+={0,2}): *$/;

/**
 * What both fields say: a certificate, undefined without one, or that they cannot be read.
 * @param lines the values of a field, a line each, by its name in lower case
 */
export function readClientCertificate(
  lines: (name: string) => readonly string[] | undefined,
): ClientCertificate | "malformed" | undefined {
  const fields = lines(CLIENT_CERT);
  const chains = lines(CLIENT_CERT_CHAIN);
  if (fields === undefined) return chains === undefined ? undefined : "malformed";
  const [field = "", ...others] = fields;
  const [chain, ...otherChains] = chains ?? [];
  if (others.length > 0 || otherChains.length > 0) return "malformed";
  const der = readBytes(field);
  const members = chain === undefined ? [] : chain.split(",").map(readBytes);
  if (!der || members.length > MAX_CHAIN) return "malformed";
  const read = members.filter((member) => member !== undefined);
  return read.length === members.length ? { der, chain: read } : "malformed";
}

function readBytes(text: string): Uint8Array | undefined {
  const base64 = BYTES.exec(text)?.[1];
  const bytes = base64 === undefined ? undefined : fromBase64(base64);
  return bytes && bytes.length <= MAX_CERTIFICATE_BYTES ? bytes : undefined;
}
