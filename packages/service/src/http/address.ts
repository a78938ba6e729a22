/**
 * Who is calling, as an address: the socket's peer, or what configured proxies say (H3). Proxies are
 * trusted one hop at a time from the right, so a caller cannot choose its own address.
 */
import type { IncomingMessage } from "node:http";
import { BlockList, isIP, SocketAddress } from "node:net";

import { ipv6Network } from "@daykey/common/ipv6-network";

/** True of an IP address or a CIDR range. */
export function isNetwork(text: string): boolean {
  const [address = "", prefix, ...rest] = text.split("/");
  const family = isIP(address);
  if (family === 0 || address.includes("%") || rest.length > 0) return false;
  if (prefix === undefined) return true;
  return /^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
}

/** @throws {TypeError} when an item is neither an IP address nor a CIDR range. */
export function createTrustedProxies(networks: readonly string[]): BlockList {
  const proxies = new BlockList();
  for (const network of networks) {
    if (!isNetwork(network))
      throw new TypeError("a trusted proxy is an IP address or a CIDR range");
    const [address = "", prefix] = network.split("/");
    const family = isIP(address) === 4 ? "ipv4" : "ipv6";
    if (prefix === undefined) proxies.addAddress(address, family);
    else proxies.addSubnet(address, Number(prefix), family);
  }
  return proxies;
}

/**
 * The caller's address in canonical form, or "unknown" when the socket is gone. `X-Forwarded-For` is
 * read only from a trusted peer, right to left past trusted hops; an entry that is no address ends
 * the walk at the last hop that is known.
 */
export function clientAddress(req: IncomingMessage, trustedProxies: BlockList): string {
  let address = canonical(req.socket.remoteAddress ?? "");
  if (address === undefined) return "unknown";
  const forwarded = req.headers["x-forwarded-for"];
  if (forwarded === undefined || !isTrusted(address, trustedProxies)) return address;
  // Node joins repeated headers into one string, in order.
  for (const hop of String(forwarded).split(",").toReversed()) {
    const next = canonical(withoutPort(hop.trim()));
    if (next === undefined) return address;
    address = next;
    if (!isTrusted(address, trustedProxies)) return address;
  }
  return address;
}

export function isTrusted(address: string, trustedProxies: BlockList): boolean {
  const plain = canonical(address);
  if (plain === undefined) return false;
  return trustedProxies.check(plain, isIP(plain) === 4 ? "ipv4" : "ipv6");
}

/**
 * What limits count by: an IPv4 address (IPv4-mapped ones too), or the /64 network of an IPv6
 * address, since one host commonly holds all of it.
 */
export function addressKey(address: string): string {
  const plain = canonical(address);
  if (plain === undefined || isIP(plain) === 4) return plain ?? address;
  return ipv6Network(plain);
}

/** Lower case, shortest form, IPv4-mapped as IPv4, without a zone; undefined when it is no address. */
function canonical(text: string): string | undefined {
  const plain = withoutMapping(text);
  const family = isIP(plain);
  if (family === 4) return plain;
  if (family === 0) return undefined;
  const [withoutZone = ""] = plain.split("%");
  return withoutMapping(new SocketAddress({ address: withoutZone, family: "ipv6" }).address);
}

/** `::ffff:192.0.2.1`, as a socket that listens on both families names its IPv4 peers. */
function withoutMapping(address: string): string {
  const mapped = address.startsWith("::ffff:") ? address.slice("::ffff:".length) : "";
  return isIP(mapped) === 4 ? mapped : address;
}

/** Some proxies write `192.0.2.1:4711` or `[2001:db8::1]:4711`. */
function withoutPort(text: string): string {
  const match = /^(?:\[([^\]]+)\]|([\d.]+))(?::\d+)?$/.exec(text);
  return match?.[1] ?? match?.[2] ?? text;
}
