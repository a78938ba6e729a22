/** Work that nobody waits for any more need not be done. */
import { ProblemError } from "./problem-error.ts";
import type { AppContext } from "./router.ts";

const PROBE_SECONDS = 1;

/**
 * Aborted when the connection closes before the answer was written. A client that has closed its
 * sending side may still read, or be gone altogether, and TCP tells which only when something is sent:
 * such a one gets an interim answer a second (102, which any client of HTTP/1.1 passes over, RFC 9110
 * §15.2). A client of HTTP/1.0, which knows none, is taken to read.
 */
export function gone({ req, res }: Pick<AppContext, "req" | "res">): AbortSignal {
  const controller = new AbortController();
  let probing: NodeJS.Timeout | undefined;
  const probe = (): void => {
    if (req.httpVersion !== "1.1") return;
    probing = setInterval(() => {
      if (res.headersSent) clearInterval(probing);
      else res.writeProcessing();
    }, PROBE_SECONDS * 1000);
  };
  if (req.socket.readableEnded) probe();
  else req.socket.once("end", probe);
  res.once("close", () => {
    req.socket.off("end", probe);
    clearInterval(probing);
    // 499 is for the log alone, after nginx: there is nobody left to answer.
    const title = "Client closed the request";
    controller.abort(new ProblemError({ status: 499, title, reason: "client_gone" }));
  });
  return controller.signal;
}
