/**
 * How a client proves itself to the token endpoint (docs/protocol.md §1.5): one file a method makes a
 * `ClientCredential`. Its secret stays inside the closure that uses it, so neither inspecting,
 * printing nor serialising one shows it.
 */
import { toHex } from "@daykey/common/bytes";
import { CLIENT_ID } from "@daykey/common/protocol";
import type { DpopKey } from "./dpop.ts";
import { DaykeyError } from "./errors.ts";

/** A value, or a function that is asked before each request: so a secret can be a file that changes. */
export type Sourced<T> = T | (() => T | Promise<T>);

/** For what a proof is made. */
export interface ProofContext {
  issuer: string;
  /** The server's time in epoch seconds, as far as it is known. */
  now: number;
  /** Whether the access token will be bound to the key of the day; only the one-time form can be. */
  isForDayKey?: boolean;
}

/** What a request brings to authenticate its client, made anew for each. */
export interface Proof {
  form?: Readonly<Record<string, string>>;
  authorization?: string;
  /** The key of the day that the proof was made with, where it was asked for. */
  dpopKey?: DpopKey;
}

export interface ClientCredential {
  readonly clientId: string;
  /** The method's registered name. */
  readonly method: string;
  /** Whether the proof is dated, so that a wrong clock spoils it. */
  readonly isDated: boolean;
  /** @throws {DaykeyError} `credential` */
  prove(context: ProofContext): Promise<Proof>;
}

/** @throws {DaykeyError} `credential` */
export function requireClientId(clientId: string): string {
  if (CLIENT_ID.test(clientId)) return clientId;
  throw new DaykeyError("credential", "The client id does not follow its pattern");
}

/**
 * The value, asked for if it is a function.
 * @throws {DaykeyError} `credential` when that fails
 */
export async function obtain<T>(source: Sourced<T>): Promise<T> {
  if (typeof source !== "function") return source;
  try {
    return await (source as () => T | Promise<T>)();
  } catch (error) {
    if (error instanceof DaykeyError) throw error;
    // A JSON parser's message may quote the text it was given.
    const cause = error instanceof SyntaxError ? undefined : error;
    throw new DaykeyError("credential", "The client's secret or key cannot be read", { cause });
  }
}

/** 128 random bits as hex. */
export function randomHex(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(16)));
}
