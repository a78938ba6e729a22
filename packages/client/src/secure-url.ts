/** Secrets and tokens travel over TLS (RFC 6749 §3.2, RFC 6750 §5.3), or do not leave the machine. */
import { DaykeyError } from "./errors.ts";

/** What a server may be on the machine itself; `URL` writes every spelling of 127.0.0.0/8 like this. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * An absolute URL that secrets may be sent to.
 * @throws {DaykeyError} `insecure_url`, for one with a user name or password too
 */
export function secureUrl(text: string | URL, { allowInsecureRequests = false } = {}): URL {
  const url = URL.canParse(String(text)) ? new URL(String(text)) : undefined;
  if (!url || url.username !== "" || url.password !== "") {
    throw new DaykeyError("insecure_url", "The address is not an absolute URL without credentials");
  }
  const isPlain = url.protocol === "http:";
  const isSecure = url.protocol === "https:" || (isPlain && LOOPBACK.test(url.hostname));
  if (!isSecure && !(isPlain && allowInsecureRequests)) {
    throw new DaykeyError(
      "insecure_url",
      `${url.origin} is neither https nor on this machine (see allowInsecureRequests)`,
    );
  }
  return url;
}
