/**
 * Nonces of signatures: each works once, at whatever instance (docs/protocol.md §5.4). What cannot be
 * remembered is refused: a store that is down or full lets nothing through.
 */
import type { Clock } from "@daykey/common/clock";
import { OWN_MESSAGE } from "@daykey/common/own-message";

export interface NonceStore {
  /**
   * Whether the nonce was never used with this key before, by any instance; remembered once it says so.
   * @param expiresAt epoch seconds from which its signature is refused in any case
   * @throws {NoncesUnavailable}
   */
  use(keyId: string, nonce: string, expiresAt: number): Promise<boolean>;
  /** Deletes what has expired. */
  clean(): Promise<void>;
}

/** Whether a nonce was used before cannot be said now. */
export class NoncesUnavailable extends Error {
  readonly [OWN_MESSAGE] = true;
  override readonly name = "NoncesUnavailable";

  constructor(options: { cause?: unknown } = {}) {
    super("Nonces cannot be remembered now.", options);
  }
}

/** Clocks differ: it is kept for so much longer. */
export const MARGIN_SECONDS = 300;
const MAX_IN_MEMORY = 500_000;

/** A failure of the store, said by nobody who could tell. */
export const unavailable = (cause: unknown): never => {
  throw new NoncesUnavailable({ cause });
};

/** For one instance alone; forgotten when it ends. */
export function createMemoryNonceStore(clock: Clock): NonceStore {
  const used = new Map<string, number>();
  const clean = (): void => {
    const now = clock();
    for (const [key, until] of used) if (until <= now) used.delete(key);
  };
  return {
    use(keyId, nonce, expiresAt) {
      const key = `${keyId} ${nonce}`;
      if (used.has(key)) return Promise.resolve(false);
      if (used.size >= MAX_IN_MEMORY) return Promise.reject(new NoncesUnavailable());
      used.set(key, expiresAt + MARGIN_SECONDS);
      return Promise.resolve(true);
    },
    clean: () => Promise.resolve(clean()),
  };
}
