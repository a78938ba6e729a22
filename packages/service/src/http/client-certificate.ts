/**
 * The certificate that a request's client proved to hold: in the handshake of this server's own TLS, or
 * before a trusted proxy, which says so by RFC 9440. It is not checked here who issued it.
 */
import type { X509Certificate } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { BlockList, Socket } from "node:net";
import type { TLSSocket } from "node:tls";

import { type ClientCertificate, readClientCertificate } from "@daykey/common/client-certificate";
import { isTrusted } from "./address.ts";
import { problem } from "./problem-error.ts";

/** Where certificates of clients come from. */
export const CERTIFICATE_SOURCES = ["off", "tls", "proxy"] as const;
export type CertificateSource = (typeof CERTIFICATE_SOURCES)[number];

/**
 * Undefined without a certificate. `Client-Cert` of anyone but a trusted proxy is as if it were not there.
 * @throws {ProblemError} 400 when a trusted proxy sends what is no certificate, or several
 */
export type ReadCertificate = (req: IncomingMessage) => ClientCertificate | undefined;

const MAX_CHAIN = 8;

export function createCertificateReader({
  source,
  trustedProxies,
}: {
  source: CertificateSource;
  trustedProxies: BlockList;
}): ReadCertificate {
  const read = new WeakMap<Socket, ClientCertificate | null>();

  function ofHandshake({ socket }: IncomingMessage): ClientCertificate | undefined {
    let certificate = read.get(socket);
    if (certificate === undefined) {
      // One handshake a connection: none is renegotiated (`tls.ts`).
      const peer = (socket as Partial<TLSSocket>).getPeerX509Certificate?.();
      certificate = peer ? withChain(peer) : null;
      read.set(socket, certificate);
    }
    return certificate ?? undefined;
  }

  function ofProxy(req: IncomingMessage): ClientCertificate | undefined {
    if (!isTrusted(req.socket.remoteAddress ?? "", trustedProxies)) return undefined;
    const certificate = readClientCertificate((name) => req.headersDistinct[name]);
    if (certificate !== "malformed") return certificate;
    throw problem("invalid-request", {
      detail: "The proxy does not send one client certificate in the form of RFC 9440.",
      reason: "client_cert_malformed",
    });
  }

  if (source === "tls") return ofHandshake;
  return source === "proxy" ? ofProxy : () => undefined;
}

function withChain(certificate: X509Certificate): ClientCertificate {
  const chain: Buffer[] = [];
  let issuer = certificate.issuerCertificate;
  while (issuer && chain.length < MAX_CHAIN) {
    chain.push(issuer.raw);
    issuer = issuer.issuerCertificate;
  }
  return { der: certificate.raw, chain };
}
