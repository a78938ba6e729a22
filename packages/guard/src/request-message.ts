/** A request of Node's as RFC 9421 sees it, by the name that this resource has for others. */
import type { IncomingMessage } from "node:http";
import { type RequestMessage, requestMessage } from "@daykey/common/http-signature-base";
import { targetAuthority } from "@daykey/service/http/request-rules";
import { problem } from "@daykey/service/http/problem-error";

/** @param resource its URI: a proxy may have changed Host, and a stranger may choose it */
export function messageOf(req: IncomingMessage, resource: string): RequestMessage {
  const { headersDistinct, method = "", url: target = "" } = req;
  const named = requestMessage(new URL(resource), method, (name) => headersDistinct[name]);
  return { ...named, target };
}

/**
 * The same, of a request whose signature is to be checked.
 * @throws {ProblemError} 421 when the target is a whole URL of another authority: the signature would be
 * checked for a URL that was not asked for (RFC 9421 §2.2.3, RFC 9110 §7.4)
 */
export function signedMessageOf(req: IncomingMessage, resource: string): RequestMessage {
  const message = messageOf(req, resource);
  if ((targetAuthority(req) ?? message.authority) !== message.authority) {
    const detail = "The request target names another authority than this resource has.";
    throw problem(421, { reason: "other_authority", detail });
  }
  return message;
}
