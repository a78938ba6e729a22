import type { IncomingMessage } from "node:http";

const PARAMETER = /^[ \t]*([\w!#$%&'*+.^`|~-]+)=("?)([\w!#$%&'*+.^`|~-]+)\2[ \t]*$/;

/**
 * True when the request has exactly one Content-Type, it is `mediaType`, and its charset, if it names
 * one, is UTF-8 (RFC 9110 §8.3).
 */
export function isMediaType(req: IncomingMessage, mediaType: string): boolean {
  const field = req.headers["content-type"] ?? "";
  if (field === mediaType) return true;
  const [type = "", ...parameters] = field.split(";");
  if (type.trim().toLowerCase() !== mediaType) return false;
  return parameters.every((parameter) => {
    if (parameter.trim() === "") return true;
    const match = PARAMETER.exec(parameter);
    if (match === null) return false;
    return match[1]?.toLowerCase() !== "charset" || match[3]?.toLowerCase() === "utf-8";
  });
}
