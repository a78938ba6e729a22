/**
 * How many rows one client may make a minute, in this process's memory: what all clients share, one
 * cannot fill. Each client is counted alone and only once it has proved itself, so no client and no
 * stranger can use up another's.
 */
import { OAuthError } from "@daykey/common/oauth-error";
import { createWindows } from "./windows.ts";

/** @throws {OAuthError} slow_down (429, Retry-After) when the client has made its rows of this minute */
export type WriteLimit = (clientId: string) => Promise<void>;

const WINDOW_SECONDS = 60;

export function createWriteLimit({
  rowsPerMinute,
  detail,
  isExempt = () => false,
}: {
  rowsPerMinute: number;
  /** The reason in the log. */
  detail: string;
  /** Who works for others, and would be stopped by what they do. */
  isExempt?: (clientId: string) => boolean;
}): WriteLimit {
  const rows = createWindows({ limit: rowsPerMinute, windowSeconds: WINDOW_SECONDS });
  return async (clientId) => {
    if (isExempt(clientId)) return;
    const seconds = rows.full(clientId);
    if (seconds === undefined) return rows.count(clientId);
    throw new OAuthError("slow_down", "The client does this too often. Try again later.", {
      detail,
      headers: { "Retry-After": String(Math.max(1, Math.ceil(seconds))) },
    });
  };
}
