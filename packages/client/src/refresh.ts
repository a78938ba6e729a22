/**
 * The refresh-token grant (RFC 6749 §6, docs/protocol.md §2.4) from the client's side. Owns the newest
 * refresh token, and the rule for an answer that was lost: the server may have rotated, so the same
 * token is sent again, and gets the same successor, but only within the retry window. Sent later it
 * would look stolen and end the grant, so it is dropped then and a new grant opened.
 */
import type { Clock } from "@daykey/common/clock";
import { formOf, type Wanted } from "./client-credentials.ts";
import { DaykeyError } from "./errors.ts";
import type { TimedTokenSet, TokenEndpoint } from "./token-endpoint.ts";

export interface Refresh {
  /** What an answer brought. A new grant may bring none. */
  keep(tokens: { refreshToken: string | undefined }): void;
  forget(): void;
  /**
   * A token set, or undefined when there is no refresh token, or it was refused or is too old to be sent
   * again: then the client must open a new grant.
   * @throws {DaykeyError} when neither is known: try again
   */
  request(signal: AbortSignal): Promise<TimedTokenSet | undefined>;
}

/** The server's window is 60 s from the rotation, which was not before the first sending. */
const RETRY_WINDOW_SECONDS = 60;

export function createRefresh({
  endpoint,
  wanted,
  clock,
  timeoutSeconds,
}: {
  endpoint: TokenEndpoint;
  wanted: Wanted;
  /** The machine's own: only differences count. */
  clock: Clock;
  /** How long a request may take; one that is sent must arrive within the window. */
  timeoutSeconds: number;
}): Refresh {
  let held: { token: string; firstSentAt: number | undefined } | undefined;

  function mayBeSent(firstSentAt: number | undefined): boolean {
    if (firstSentAt === undefined) return true;
    const passed = clock() - firstSentAt;
    // A clock that was set back says nothing of the time that passed.
    return passed >= 0 && passed < RETRY_WINDOW_SECONDS - timeoutSeconds;
  }

  return {
    keep({ refreshToken }) {
      held =
        refreshToken === undefined ? undefined : { token: refreshToken, firstSentAt: undefined };
    },
    forget: () => (held = undefined),
    async request(signal) {
      if (held && !mayBeSent(held.firstSentAt)) held = undefined;
      if (!held) return undefined;
      const { token, firstSentAt } = held;
      held = { token, firstSentAt: firstSentAt ?? clock() };
      const form = {
        grant_type: "refresh_token",
        refresh_token: token,
        ...formOf(wanted),
      } as const;
      try {
        const tokens = await endpoint.request(form, signal);
        // RFC 6749 §6: an answer without a refresh token leaves the old one in force.
        held = { token: tokens.refreshToken ?? token, firstSentAt: undefined };
        return tokens;
      } catch (error) {
        if (!mayHaveRotated(error)) held = { token, firstSentAt };
        if (!isRefusal(error)) throw error;
        held = undefined;
        return undefined;
      }
    },
  };
}

/** The client was authenticated and the refresh refused: `invalid_grant`, or it may not refresh any more. */
function isRefusal(error: unknown): boolean {
  return error instanceof DaykeyError && error.code === "token_endpoint" && error.status === 400;
}

/** Any other refusal, and what went wrong before a request was sent, leaves the token as it was. */
function mayHaveRotated(error: unknown): boolean {
  if (!(error instanceof DaykeyError)) return true;
  const { code, status = 0 } = error;
  if (code === "token_endpoint") return status >= 500;
  return code === "network" || code === "timeout" || code === "invalid_response";
}
