/** The token68 grammar of an access token (RFC 6750 §2.1). */
const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;

/** The scheme is case-insensitive (RFC 9110 §11.1). */
const SCHEME = /^bearer(?: |$)/i;
const CREDENTIALS = /^bearer +([A-Za-z0-9\-._~+/]+=*) *$/i;

export function isBearerToken(text: string): boolean {
  return TOKEN.test(text);
}

/**
 * What an Authorization header says in the Bearer scheme: a token, nothing (no header, or another
 * scheme), or something malformed.
 */
export function readBearer(
  authorization: string | undefined,
): { kind: "token"; token: string } | { kind: "none" } | { kind: "malformed" } {
  if (authorization === undefined) return { kind: "none" };
  const token = CREDENTIALS.exec(authorization)?.[1];
  if (token !== undefined) return { kind: "token", token };
  return { kind: SCHEME.test(authorization) ? "malformed" : "none" };
}
