/** One library tried in one way, and what came of it. */
import type { TokenAlgorithm, World } from "./world.ts";
import type { KeyName } from "./world-clients.ts";
import type { TokenSamples } from "./token-samples.ts";

export const CLIENT_CHECKS = [
  "RFC 8414 discovery",
  "OpenID discovery",
  "client_secret_basic",
  "client_secret_post",
  "private_key_jwt",
  "refresh_token",
  "jwt_spiffe",
  "DPoP",
  "token exchange",
  "ID-JAG",
] as const;
export type ClientCheck = (typeof CLIENT_CHECKS)[number];

/** What came of an attempt. Programs in other languages print one as a line of JSON. */
export interface Outcome {
  library: string;
  version: string;
  check: ClientCheck | TokenAlgorithm;
  /** What had to be set beside what everybody sets; absent: the library works as it comes. */
  setting?: string | undefined;
  worked: boolean;
  /** What was seen: the error, where it did not work. */
  seen: string;
}

export interface ClientAttempt {
  library: string;
  /** The name of its package. */
  from: string;
  check: ClientCheck;
  /** The key that `private_key_jwt` uses. */
  key?: KeyName;
  setting?: string;
  /** Resolves when `GET /time` has answered 200. */
  run(world: World): Promise<void>;
}

/** @throws what is wrong with the token */
export type Validate = (token: string) => Promise<unknown>;

export interface ValidatorAttempt {
  library: string;
  from: string;
  check: TokenAlgorithm;
  setting?: string;
  /** What it says because of a limit of its own; absent: it works. */
  limit?: RegExp;
  open(samples: TokenSamples): Promise<{ validate: Validate; close?: () => Promise<unknown> }>;
}

/** @throws {Error} unless `GET /time` answers 200 */
export async function callTime({ resource }: World, token: unknown): Promise<void> {
  const headers = { authorization: `Bearer ${String(token)}` };
  await expectOk(await fetch(`${resource}/time`, { headers }));
}

/** @throws {Error} unless the status is 200 */
export async function expectOk(response: Response): Promise<void> {
  const text = await response.text();
  if (response.status !== 200) throw new Error(`GET /time: ${response.status} ${text}`);
}

/** @throws {Error} unless the good token is taken and each bad one is refused */
export async function tryValidator(
  { open }: Pick<ValidatorAttempt, "open">,
  samples: TokenSamples,
): Promise<void> {
  const { validate, close } = await open(samples);
  try {
    await validate(samples.good);
    const taken: string[] = [];
    for (const [fault, token] of Object.entries(samples.bad)) {
      const isTaken = await validate(token).then(
        () => true,
        () => false,
      );
      if (isTaken) taken.push(fault);
    }
    if (taken.length > 0) throw new Error(`takes a token with a wrong: ${taken.join(", ")}`);
  } finally {
    await close?.();
  }
}
