/**
 * One request whose whole answer has a limit in time and in size. Redirects are never followed: what
 * is fetched here takes credentials along, or says where credentials go.
 */
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
  signal.throwIfAborted();
  // By hand: what AbortSignal.any makes of a timeout may be collected before it fires on Node 20.
  const controller = new AbortController();
  const timedOut = new DaykeyError("timeout", `No whole answer from ${url.origin} in time`);
  const timer = setTimeout(() => controller.abort(timedOut), timeoutSeconds * 1000);
  const stop = (): void => controller.abort(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    const response = await fetch(url, { ...init, redirect: "manual", signal: controller.signal });
    return {
      status: response.status,
      headers: response.headers,
      text: await readText(response, controller.signal),
    };
  } catch (cause) {
    if (controller.signal.aborted) throw controller.signal.reason;
    if (cause instanceof DaykeyError) throw cause;
    throw new DaykeyError("network", `The connection to ${url.origin} failed`, { cause });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
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
