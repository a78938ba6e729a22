/** An access token as its holder sees it: a value to send, and when to get another. */

export interface AccessToken {
  /** The token itself. Not enumerable: neither JSON nor an inspection shows it. */
  readonly value: string;
  /** The granted scope tokens. */
  readonly scope: readonly string[];
  /** The server's time when it ends, in epoch seconds. */
  readonly expiresAt: number;
}

export function accessTokenOf(
  value: string,
  { scope, expiresAt }: { scope: readonly string[]; expiresAt: number },
): AccessToken {
  const token = { scope: Object.freeze([...scope]), expiresAt };
  return Object.freeze(Object.defineProperty(token, "value", { value })) as AccessToken;
}
