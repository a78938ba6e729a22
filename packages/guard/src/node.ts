/**
 * The guard before a server of `node:http` or `node:http2`, and what the adapters of frameworks that stand
 * on it share. Headers are taken as they came, repeated ones too; nothing of `X-Forwarded-*` is read.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { TLSSocket } from "node:tls";
import type { Access } from "./access.ts";
import { type CheckOptions, type CheckResult, requireOptions } from "./check.ts";
import type { Guard } from "./guard.ts";
import type { Refusal } from "./refusals.ts";
import { type CheckRequest, type FieldLines, type ReadBody, RequestBodyError } from "./request.ts";

type AnyRequest = IncomingMessage | Http2ServerRequest;
type AnyResponse = ServerResponse | Http2ServerResponse;

/** Routers that strip what they are mounted at keep what was sent in `originalUrl`. */
export type NodeRequest = AnyRequest & { originalUrl?: string };

/** What a route needs, besides its scope. */
export type RouteOptions = Omit<CheckOptions, "scope">;

/**
 * A listener that answers requests which may do what needs this scope. Others get their refusal. Not
 * handled: what `handler` throws.
 * @throws {TypeError} for a scope that is none
 */
export function protect<
  Req extends AnyRequest = IncomingMessage,
  Res extends AnyResponse = ServerResponse,
>(
  guard: Pick<Guard, "check">,
  scope: string,
  handler: (req: Req, res: Res, access: Access) => void | Promise<void>,
  options: RouteOptions = {},
): (req: Req, res: Res) => Promise<void> {
  const needs = { ...options, scope };
  requireOptions(needs);
  return async (req, res) => {
    let result: CheckResult;
    try {
      result = await guard.check(toCheckRequest(req), needs);
    } catch {
      // The guard has logged it, and nobody above would answer.
      res.statusCode = 500;
      res.setHeader("Cache-Control", "no-store");
      res.end();
      return;
    }
    if (!result.allowed) return sendRefusal(res, result);
    setHeaders(res, result.headers);
    await handler(req, res, result.access);
  };
}

/** @param address the caller's, as the application knows it; the connection's by default */
export function toCheckRequest(
  req: NodeRequest,
  address: string | undefined = req.socket?.remoteAddress,
): CheckRequest {
  const { method = "", originalUrl, url = "" } = req;
  return {
    method,
    url: originalUrl ?? url,
    headers: linesOf(req),
    address,
    certificate: () => peerCertificateOf(req),
    peer: req.socket?.remoteAddress,
    hasBody: hasBodyOf(req),
    body: readAhead(req),
  };
}

/** Answers with a refusal. To HEAD its body is not sent (RFC 9110 §9.3.2): Node leaves it out. */
export function sendRefusal(res: AnyResponse, { status, headers, body }: Refusal): void {
  res.statusCode = status;
  setHeaders(res, headers);
  res.end(JSON.stringify(body));
}

export function setHeaders(
  res: Pick<AnyResponse, "setHeader">,
  headers: Readonly<Record<string, string>>,
): void {
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
}

/** Node keeps the first of repeated Authorization headers without a word, so the raw ones are asked. */
export function linesOf({ headers, rawHeaders }: AnyRequest): FieldLines {
  return (name) => {
    const value = headers[name];
    if (value === undefined) return undefined;
    const lines: string[] = [];
    for (let index = 0; index < rawHeaders.length; index += 2) {
      const raw = rawHeaders[index] ?? "";
      if (raw.length !== name.length || raw.toLowerCase() !== name) continue;
      lines.push(rawHeaders[index + 1] ?? "");
    }
    // What stands there once may have been changed by the application.
    return lines.length > 1 ? lines : [value].flat();
  };
}

/**
 * The certificate in DER whose key the client proved in the handshake of this connection, where it was asked
 * for one. Not checked: who issued it, and until when it is valid.
 */
export function peerCertificateOf({ socket }: Pick<AnyRequest, "socket">): Uint8Array | undefined {
  return (socket as Partial<TLSSocket> | undefined)?.getPeerX509Certificate?.()?.raw;
}

/** HTTP/2 says where the content ends by a flag, and needs no Content-Length. */
function hasBodyOf(req: AnyRequest): boolean | undefined {
  const { stream } = req as { stream?: { endAfterHeaders?: boolean } };
  return stream?.endAfterHeaders === undefined ? undefined : !stream.endAfterHeaders;
}

/**
 * Reads the content and puts it back, so that whoever reads it after the guard has the same. It must stand
 * before any body parser: what another has read is gone.
 */
function readAhead(req: AnyRequest): ReadBody {
  return async (limitBytes) => {
    if (req.readableEnded || req.destroyed) throw new RequestBodyError("gone");
    if (Number(req.headers["content-length"] ?? 0) > limitBytes) {
      throw new RequestBodyError("too_large");
    }
    const chunks: Buffer[] = [];
    if (isWhole(req)) return Buffer.alloc(0);
    await new Promise<void>((resolve, reject) => {
      let length = 0;
      const finish = (error?: RequestBodyError): void => {
        req.off("readable", onReadable).off("close", onClose).off("error", onClose);
        if (error) reject(error);
        else resolve();
      };
      const onReadable = (): void => {
        // To read what is empty and over would tell its end.
        while (req.readableLength > 0) {
          const chunk = req.read() as Buffer;
          length += chunk.length;
          chunks.push(chunk);
          if (length > limitBytes) return finish(new RequestBodyError("too_large"));
        }
        if (!isWhole(req)) return;
        // Now, while the end has not been told: afterwards nothing can be put back.
        if (length > 0) req.unshift(Buffer.concat(chunks));
        finish();
      };
      const onClose = (): void => finish(new RequestBodyError("cut_short"));
      req.on("readable", onReadable).on("close", onClose).on("error", onClose);
    });
    return Buffer.concat(chunks);
  };
}

/** Whether all of it has come, and has been read. */
function isWhole(req: AnyRequest): boolean {
  // oxlint-disable-next-line no-underscore-dangle -- HTTP/2 has no other word for it before the end is told
  const { ended } = (req as unknown as { _readableState: { ended: boolean } })._readableState;
  return ended && req.readableLength === 0;
}
