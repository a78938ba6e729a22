/**
 * When two URIs name the same resource: RFC 3986 §6.2.2 and §6.2.3, without asking anyone. What is
 * compared so is never sent: the `aud` of a token is the registered string, byte for byte.
 */

const PARTS = /^([a-z][a-z0-9+.-]*):(?:\/\/([^/?#]*))?([^?#]*)(.*)$/is;
const AUTHORITY = /^([^@]*@)?(\[[^\]]*\]|[^:@]*)(?::(\d*))?$/;
const DEFAULT_PORTS: Readonly<Record<string, string>> = {
  http: "80",
  https: "443",
  ws: "80",
  wss: "443",
};

/**
 * The URI in the form that is equal for equivalent URIs: scheme and host in lower case, no default or
 * empty port, `/` for an empty path, no dot segments, percent-encoding in upper case and none of
 * unreserved characters. Text that is no URI stays as it is. Host names are not looked up, and neither
 * IPv6 addresses nor internationalized names are rewritten.
 */
export function comparableUri(uri: string): string {
  const [, scheme = "", authority, path = "", rest = ""] = PARTS.exec(uri) ?? [];
  if (scheme === "") return uri;
  const name = scheme.toLowerCase();
  if (authority === undefined) return `${name}:${encoded(path)}${encoded(rest)}`;
  const [whole, user = "", host = "", port = ""] = AUTHORITY.exec(authority) ?? [];
  if (whole === undefined) return uri;
  const ofPort = port === "" || port === DEFAULT_PORTS[name] ? "" : `:${port}`;
  const place = encoded(user) + encoded(host.toLowerCase()) + ofPort;
  return `${name}://${place}${withoutDots(encoded(path))}${encoded(rest)}`;
}

/** RFC 3986 §6.2.2.1 and §6.2.2.2. */
function encoded(text: string): string {
  return text.replaceAll(/%[0-9a-f]{2}/gi, (triplet) => {
    const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16));
    return /[\w.~-]/.test(character) ? character : triplet.toUpperCase();
  });
}

/** RFC 3986 §5.2.4, of a path after an authority: empty, or begins with a slash. */
function withoutDots(path: string): string {
  const kept: string[] = [];
  const segments = path.split("/").slice(1);
  for (const [i, segment] of segments.entries()) {
    const isDots = segment === "." || segment === "..";
    if (segment === "..") kept.pop();
    if (!isDots) kept.push(segment);
    else if (i === segments.length - 1) kept.push("");
  }
  return `/${kept.join("/")}`;
}
