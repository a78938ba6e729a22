/**
 * One request whose whole answer has a limit in time and in size. Redirects are never followed: what
 * is fetched here takes credentials along, or says where credentials go.
 */
import { withDeadline } from "@daykey/common/deadline";
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
  if (!body) return "";
  const reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> = body.getReader();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    signal.throwIfAborted();
    length += value?.length ?? 0;
    if (length > MAX_BYTES) {
      void reader.cancel().catch(() => {});
      throw new DaykeyError("invalid_response", "The answer is too large");
    }
    try {
      text += decoder.decode(value, { stream: !done });
    } catch {
      void reader.cancel().catch(() => {});
      throw new DaykeyError("invalid_response", "The answer is not UTF-8");
    }
    if (done) return text;
  }
}
