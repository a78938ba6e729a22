/** The token68 grammar of an access token (RFC 6750 §2.1). */
const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;

/** The scheme is case-insensitive (RFC 9110 §11.1). */
const SCHEME = /^bearer(?: |$)/i;
const CREDENTIALS = /^bearer +([A-Za-z0-9\-._~+/]+=*) *$/i;
const DPOP_SCHEME = /^dpop(?: |$)/i;
const DPOP_CREDENTIALS = /^dpop +([A-Za-z0-9\-._~+/]+=*) *$/i;

export function isBearerToken(text: string): boolean {
  return TOKEN.test(text);
}

/** What an Authorization header says of a token: one, nothing (no header, or another scheme), or something malformed. */
export type PresentedToken =
  | { kind: "token"; token: string }
  | { kind: "none" }
  | { kind: "malformed" };

/** In the Bearer scheme. */
export function readBearer(authorization: string | undefined): PresentedToken {
  return readToken(authorization, SCHEME, CREDENTIALS);
}

/** In the DPoP scheme (RFC 9449 §7.1). Its proof stands in another header. */
export function readDpopToken(authorization: string | undefined): PresentedToken {
  return readToken(authorization, DPOP_SCHEME, DPOP_CREDENTIALS);
}

function readToken(
  authorization: string | undefined,
  scheme: RegExp,
  form: RegExp,
): PresentedToken {
  if (authorization === undefined) return { kind: "none" };
  const token = form.exec(authorization)?.[1];
  if (token !== undefined) return { kind: "token", token };
  return { kind: scheme.test(authorization) ? "malformed" : "none" };
}
