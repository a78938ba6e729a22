/** Whether who brings an access token showed the certificate that it is bound to (RFC 8705 §3). */
import { createHash } from "node:crypto";
import { BlockList, isIP, isIPv6 } from "node:net";
import { readClientCertificate } from "@daykey/common/client-certificate";
import { type Access, InvalidCredential } from "../access.ts";
import type { GuardedRequest } from "../request.ts";

export interface BoundCertificates {
  /** @throws {InvalidCredential} for no certificate, another one, or what a proxy wrote in another form */
  require(access: Access, thumbprint: string, request: GuardedRequest): void;
}

/**
 * @param proxies whose `Client-Cert` is believed, in place of their own certificate
 * @throws {TypeError} for what is neither an address nor a range
 */
export function createBoundCertificates(proxies: readonly string[]): BoundCertificates {
  const trusted = new BlockList();
  for (const proxy of proxies) addTo(trusted, proxy);

  function isTrusted(peer = ""): boolean {
    return isIP(peer) > 0 && trusted.check(peer, isIPv6(peer) ? "ipv6" : "ipv4");
  }

  return {
    require(access, thumbprint, { certificate, peer, lines }) {
      const forwarded = isTrusted(peer) ? readClientCertificate(lines) : undefined;
      if (forwarded === "malformed") throw new InvalidCredential("client_cert_malformed", access);
      const der = isTrusted(peer) ? forwarded?.der : certificate?.();
      if (!der) throw new InvalidCredential("bound_token_without_certificate", access);
      const shown = createHash("sha256").update(der).digest("base64url");
      if (shown !== thumbprint) throw new InvalidCredential("bound_to_other_certificate", access);
    },
  };
}

function addTo(list: BlockList, network: string): void {
  const [address = "", bits, ...more] = network.split("/");
  const length = isIPv6(address) ? 128 : 32;
  const prefix = bits === undefined ? length : Number(/^\d{1,3}$/.exec(bits)?.[0] ?? -1);
  if (isIP(address) === 0 || more.length > 0 || prefix < 0 || prefix > length) {
    throw new TypeError("createGuard: clientCertProxies holds addresses and CIDR ranges");
  }
  list.addSubnet(address, prefix, isIPv6(address) ? "ipv6" : "ipv4");
}
