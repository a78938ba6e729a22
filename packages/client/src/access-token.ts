/** An access token as its holder sees it: a value to send, and when to get another. */

/** One request with a token that is bound to a key. */
export interface CallToProve {
  method: string;
  url: string | URL;
  /** What the resource last gave in `DPoP-Nonce`. */
  nonce?: string | undefined;
}

export interface AccessToken {
  /** The token itself. Not enumerable: neither JSON nor an inspection shows it. */
  readonly value: string;
  /** The granted scope tokens. */
  readonly scope: readonly string[];
  /** The server's time when it ends, in epoch seconds. */
  readonly expiresAt: number;
  /**
   * Only of a token that is bound to a key (RFC 9449): the header `DPoP` for one request, beside
   * `Authorization: DPoP <value>`. Not enumerable.
   */
  readonly prove?: (call: CallToProve) => Promise<string>;
}

export function accessTokenOf(
  value: string,
  {
    scope,
    expiresAt,
    prove,
  }: {
    scope: readonly string[];
    expiresAt: number;
    prove?: AccessToken["prove"];
  },
): AccessToken {
  const token = { scope: Object.freeze([...scope]), expiresAt };
  Object.defineProperties(token, { value: { value }, ...(prove && { prove: { value: prove } }) });
  return Object.freeze(token) as AccessToken;
}
