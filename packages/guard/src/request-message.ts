/** A request of Node's as RFC 9421 sees it, by the name that this resource has for others. */
import type { IncomingMessage } from "node:http";
import { type RequestMessage, requestMessage } from "@daykey/common/http-signature-base";

/** @param resource its URI: a proxy may have changed Host, and a stranger may choose it */
export function messageOf(req: IncomingMessage, resource: string): RequestMessage {
  const { headersDistinct, method = "", url: target = "" } = req;
  const named = requestMessage(new URL(resource), method, (name) => headersDistinct[name]);
  return { ...named, target };
}
