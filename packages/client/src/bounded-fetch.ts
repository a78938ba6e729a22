/**
 * One request whose whole answer has a limit in time and in size. Redirects are never followed: what
 * is fetched here takes credentials along, or says where credentials go.
 */
import { withDeadline } from "@daykey/common/deadline";
import { readWithin } from "@daykey/common/read-within";
import { DaykeyError } from "./errors.ts";
import type { Fetch } from "./platform.ts";

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

const MAX_BYTES = 64 * 1024;

/**
 * @throws {DaykeyError} `timeout`, `network`, or `invalid_response` for an answer over 64 KiB or not in UTF-8
 * @throws the signal's reason, when that was aborted
 */
export async function boundedFetch(
  fetch: Fetch,
  url: URL,
  init: RequestInit,
  { timeoutSeconds, signal }: { timeoutSeconds: number; signal: AbortSignal },
): Promise<Answer> {
  return withDeadline((own) => fetchWhole(fetch, url, init, own), {
    seconds: timeoutSeconds,
    signal,
    late: () => new DaykeyError("timeout", `No whole answer from ${url.origin} in time`),
  });
}

async function fetchWhole(
  fetch: Fetch,
  url: URL,
  init: RequestInit,
  signal: AbortSignal,
): Promise<Answer> {
  try {
    const response = await fetch(url, { ...init, redirect: "manual", signal });
    return {
      status: response.status,
      headers: response.headers,
      text: await readText(response, signal),
    };
  } catch (cause) {
    if (cause instanceof DaykeyError) throw cause;
    throw new DaykeyError("network", `The connection to ${url.origin} failed`, { cause });
  }
}

async function readText({ body }: Response, signal: AbortSignal): Promise<string> {
  const bytes = await readWithin(body, MAX_BYTES, signal);
  if (!bytes) throw new DaykeyError("invalid_response", "The answer is too large");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new DaykeyError("invalid_response", "The answer is not UTF-8");
  }
}
