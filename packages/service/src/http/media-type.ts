import type { IncomingMessage } from "node:http";

const PARAMETER = /^[ \t]*([\w!#$%&'*+.^`|~-]+)=("?)([\w!#$%&'*+.^`|~-]+)\2[ \t]*$/;

/** UTF-8 under its names, and encodings in which ASCII's bytes mean what they mean in UTF-8. */
const CHARSETS: Readonly<Record<string, Charset>> = {
  "utf-8": "utf-8",
  utf8: "utf-8",
  utf_8: "utf-8",
  "us-ascii": "ascii",
  ascii: "ascii",
  "iso-8859-1": "ascii",
  "iso8859-1": "ascii",
  "iso_8859-1": "ascii",
  latin1: "ascii",
  "windows-1252": "ascii",
  cp1252: "ascii",
};

/** As what a body may be read: "ascii" when it must have no byte above 0x7F, or it is another text. */
export type Charset = "utf-8" | "ascii";

/**
 * The charset of a body of this media type, UTF-8 when the field names none; undefined when the request
 * has not exactly one Content-Type, it is another one, or it names another charset (RFC 9110 §8.3).
 */
export function charsetOf(req: IncomingMessage, mediaType: string): Charset | undefined {
  const field = req.headers["content-type"] ?? "";
  if (field === mediaType) return "utf-8";
  const [type = "", ...parameters] = field.split(";");
  if (type.trim().toLowerCase() !== mediaType) return undefined;
  let charset: Charset | undefined;
  for (const parameter of parameters) {
    if (parameter.trim() === "") continue;
    const [, name = "", , value = ""] = PARAMETER.exec(parameter) ?? [];
    if (name === "") return undefined;
    if (name.toLowerCase() !== "charset") continue;
    const known = CHARSETS[value.toLowerCase()];
    if (known === undefined || (charset !== undefined && charset !== known)) return undefined;
    charset = known;
  }
  return charset ?? "utf-8";
}

/** False when the bytes are another text in UTF-8 than in the encoding that the request names. */
export function isReadAs(charset: Charset, bytes: Buffer): boolean {
  return charset === "utf-8" || bytes.every((byte) => byte < 0x80);
}
