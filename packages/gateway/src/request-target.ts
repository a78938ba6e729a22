/**
 * The one reading of a path. Proxies and services differ in what they make of `//`, `..`, `%2f`, `;` and
 * the like. What can be read in two ways is refused, so that what is checked is what the service sees.
 */

/** Why a target is refused, for the log. */
export type TargetFault =
  | "no_path"
  | "character"
  | "fragment"
  | "backslash"
  | "path_parameter"
  | "percent_encoding"
  | "encoded_delimiter"
  | "unusual_unicode"
  | "empty_segment"
  | "dot_segment";

/** The segments of a path, decoded; a path that ends in a slash has an empty last one. */
export type Segments = readonly string[];

/** Neither a space nor a control character nor anything beyond ASCII (RFC 3986 §2). */
const URI_CHARACTERS = /^[!-~]*$/;

/** After decoding, each could be a delimiter or the end of a string: `/ \ ; ? #` and control characters. */
const ENCODED_DELIMITER = /%(?:2f|5c|3b|3f|23|[01][0-9a-f]|7f)/i;
/** What a service that decodes twice would decode. */
const ENCODED_AGAIN = /%[0-9a-f]{2}/i;

/** The C1 controls (U+0080 to U+009F), and separators of lines. */
const UNPRINTABLE = /[\u0080-\u009F\u2028\u2029]/;

/**
 * @param target the origin-form of RFC 9112 §3.2.1: a path, perhaps with a query. The query is not judged
 *   beyond its characters.
 */
export function readTarget(target: string): Segments | TargetFault {
  if (!target.startsWith("/")) return "no_path";
  if (!URI_CHARACTERS.test(target)) return "character";
  if (target.includes("#")) return "fragment";
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  if (path.includes("\\")) return "backslash";
  if (path.includes(";")) return "path_parameter";
  const decoded = path.includes("%") ? decode(path) : path;
  if (typeof decoded !== "string") return decoded.fault;
  const segments = decoded.slice(1).split("/");
  const last = segments.length - 1;
  for (let index = 0; index <= last; index++) {
    const segment = segments[index];
    if (segment === "" && index < last) return "empty_segment";
    if (segment === "." || segment === "..") return "dot_segment";
  }
  return segments;
}

function decode(path: string): string | { fault: TargetFault } {
  if (ENCODED_DELIMITER.test(path)) return { fault: "encoded_delimiter" };
  let decoded;
  try {
    // Also refuses what is no UTF-8: overlong forms and surrogates.
    decoded = decodeURIComponent(path);
  } catch {
    return { fault: "percent_encoding" };
  }
  if (ENCODED_AGAIN.test(decoded)) return { fault: "encoded_delimiter" };
  // A full-width solidus, a ligature: some services turn them into what they look like.
  const isUsual = decoded.normalize("NFKC") === decoded && !UNPRINTABLE.test(decoded);
  return isUsual ? decoded : { fault: "unusual_unicode" };
}

/**
 * The same path for a service that is less exact: some take no notice of case, of a slash at the end, or
 * of dots and spaces at the end of a name.
 */
export function foldSegments(segments: Segments): Segments {
  const folded = segments.map((segment) => segment.toLowerCase().replace(/[. ]+$/, ""));
  return folded.length > 1 && folded.at(-1) === "" ? folded.slice(0, -1) : folded;
}

const HOST = /^(?:[a-z0-9_](?:[a-z0-9_-]|\.(?=[a-z0-9_]))*|\[[0-9a-f:.]+\])$/;

/** In lower case and without its port, as the routes file names it; undefined for what is no host. */
export function readHost(text: string): string | undefined {
  const host = text.toLowerCase().replace(/:\d{1,5}$/, "");
  return HOST.test(host) ? host : undefined;
}
