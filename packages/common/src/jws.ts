/**
 * A JWT as text: a JWS in compact form (RFC 7515 §7.1) over a JSON object (RFC 7519 §7.2). Access tokens,
 * at either server, and the assertions of clients are read here and nowhere else. One value has one
 * spelling: base64url is unpadded and canonical, the text is UTF-8, JSON has no name twice.
 */
import { fromBase64url, fromUtf8 } from "./bytes.ts";
import { type JsonObject, type JsonValue, readJsonObject } from "./json-numbers.ts";

/** What is written. Nothing of it is proved: no signature, algorithm, type or claim was checked. */
export interface Jws {
  header: JsonObject;
  claims: JsonObject;
  /** The text of `claims`, in UTF-8. */
  payload: Uint8Array;
  /** What the signature is over, in ASCII. */
  signed: string;
  signature: Uint8Array;
}

/** Why a text is not read, as a reason for the log. */
export type JwsFault =
  | "malformed"
  | "malformed_header"
  | "unsupported_extension"
  | "malformed_claims";

/** The length is the caller's to bound. */
export function parseJws(text: string): Jws | JwsFault {
  const parts = text.split(".", 4);
  const [header, payload, signature] = parts.map(fromPart);
  if (parts.length !== 3 || !header || !payload || !signature) return "malformed";
  const headerObject = readJwtObject(header);
  if (!headerObject) return "malformed_header";
  // What `crit` names must be understood (RFC 7515 §4.1.11), and nothing is. A JWT's payload is encoded
  // (RFC 7797 §7).
  if ("crit" in headerObject || "b64" in headerObject) return "unsupported_extension";
  const claims = readJwtObject(payload);
  if (!claims) return "malformed_claims";
  const signed = text.slice(0, text.lastIndexOf("."));
  return { header: headerObject, claims, payload, signed, signature };
}

/**
 * Whether a header's `typ` names this media type: in any case, its `application/` left out or not
 * (RFC 7515 §4.1.9).
 */
export function isTyped(typ: JsonValue | undefined, type: string): boolean {
  if (typeof typ !== "string") return false;
  const named = typ.toLowerCase();
  return named === type.toLowerCase() || named === `application/${type.toLowerCase()}`;
}

/** The JSON object in a JOSE header or payload, none of its names there twice, or undefined (RFC 7515 §4). */
export function readJwtObject(bytes: Uint8Array): JsonObject | undefined {
  try {
    return readJsonObject(fromUtf8(bytes));
  } catch {
    return undefined;
  }
}

function fromPart(text: string): Uint8Array | undefined {
  return text === "" ? undefined : fromBase64url(text);
}
