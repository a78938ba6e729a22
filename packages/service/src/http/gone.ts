/** Work that nobody waits for any more need not be done. */
import { problem } from "./problem-error.ts";
import type { AppContext } from "./router.ts";

/** Then after twice as long, and so on: some clients pass over five interim answers and no more. */
const FIRST_PROBE_SECONDS = 1;

/**
 * Aborted when the connection closes before the answer was written. A client that has closed its
 * sending side may still read, or be gone altogether, and TCP tells which only when something is sent:
 * such a one gets interim answers (102, which any client of HTTP/1.1 passes over, RFC 9110 §15.2; ADR
 * 0027). A client of HTTP/1.0, which knows none, is taken to read.
 */
export function gone({ req, res }: Pick<AppContext, "req" | "res">): AbortSignal {
  const controller = new AbortController();
  let probing: NodeJS.Timeout | undefined;
  function probeIn(seconds: number): void {
    probing = setTimeout(() => {
      if (res.headersSent) return;
      res.writeProcessing();
      probeIn(2 * seconds);
    }, seconds * 1000);
  }
  const probe = (): void => {
    if (req.httpVersion === "1.1") probeIn(FIRST_PROBE_SECONDS);
  };
  if (req.socket.readableEnded) probe();
  else req.socket.once("end", probe);
  res.once("close", () => {
    req.socket.off("end", probe);
    clearTimeout(probing);
    // 499 is for the log alone, after nginx: there is nobody left to answer.
    const title = "Client closed the request";
    controller.abort(problem(499, { title, reason: "client_gone" }));
  });
  return controller.signal;
}
