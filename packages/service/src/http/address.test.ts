import type { IncomingMessage } from "node:http";

import { expect, test } from "vitest";

import { addressKey, clientAddress, createTrustedProxies, isNetwork } from "./address.ts";

const PROXIES = createTrustedProxies(["10.0.0.0/8", "2001:db8:aa::/48", "192.0.2.1"]);

function addressOf(remoteAddress: string | undefined, forwarded?: string): string {
  const headers = forwarded === undefined ? {} : { "x-forwarded-for": forwarded };
  return clientAddress({ socket: { remoteAddress }, headers } as IncomingMessage, PROXIES);
}

test("H3: X-Forwarded-For of a peer that is no configured proxy is ignored", () => {
  expect(addressOf("198.51.100.7", "203.0.113.9")).toBe("198.51.100.7");
  expect(addressOf("::ffff:198.51.100.7", "203.0.113.9")).toBe("198.51.100.7");
});

test.each([
  ["203.0.113.9", "203.0.113.9"],
  ["6.6.6.6, 203.0.113.9", "203.0.113.9"],
  ["6.6.6.6, 203.0.113.9, 10.9.9.9", "203.0.113.9"],
  ["6.6.6.6,203.0.113.9,\t::ffff:10.9.9.9 , 192.0.2.1", "203.0.113.9"],
  ["2001:DB8:0:0::1", "2001:db8::1"],
  ["6.6.6.6, 2001:db8:bb::1, 2001:db8:aa:1::2", "2001:db8:bb::1"],
  ["203.0.113.9:4711", "203.0.113.9"],
  ["[2001:db8:bb::1]:4711", "2001:db8:bb::1"],
  ["[2001:db8:bb::1]", "2001:db8:bb::1"],
  ["::ffff:cb00:7109", "203.0.113.9"],
])("H3: of %j the rightmost hop that is no proxy counts: %s", (forwarded, address) => {
  expect(addressOf("10.1.2.3", forwarded)).toBe(address);
});

test.each(["", "unknown", "6.6.6.6, nonsense", "6.6.6.6, ", "6.6.6.6, 1.2.3", "6.6.6.6,1.2.3.4.5"])(
  "H3: of %j, whose last hop is no address, the proxy itself counts",
  (forwarded) => {
    expect(addressOf("10.1.2.3", forwarded)).toBe("10.1.2.3");
  },
);

test("H3: a chain of proxies alone ends at its first; what stands before nonsense is not read", () => {
  expect(addressOf("10.1.2.3", "10.0.0.1, 10.0.0.2")).toBe("10.0.0.1");
  expect(addressOf("10.1.2.3", "6.6.6.6, nonsense, 10.0.0.2")).toBe("10.0.0.2");
});

test("a socket that is gone has no address", () => {
  expect(addressOf(undefined, "203.0.113.9")).toBe("unknown");
});

test.each([
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["::FFFF:C000:0207", "192.0.2.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::1", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["2001:db8::2:0:0:1", "2001:db8:0:0::/64"],
  ["2001:db8:1::", "2001:db8:1:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["unknown", "unknown"],
])("limits count %s by %s", (address, key) => {
  expect(addressKey(address)).toBe(key);
});

test("addresses of one /64 share a key, however they are written", () => {
  const [first, ...others] = ["2001:db8:0:0:1::", "2001:db8::ffff:1:2:3", "2001:DB8::"].map(
    addressKey,
  );
  expect(others).toEqual([first, first]);
});

test.each(["10.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32", "0.0.0.0/0"])(
  "%s is a network",
  (item) => {
    expect(isNetwork(item)).toBe(true);
    expect(() => createTrustedProxies([item])).not.toThrow();
  },
);

test.each([
  "",
  "localhost",
  "10.0.0",
  "10.0.0.0/33",
  "10.0.0.0/-1",
  "10.0.0.0/8/8",
  "::/129",
  "10.0.0.0/",
  "fe80::1%eth0",
])("%j is no network", (item) => {
  expect(isNetwork(item)).toBe(false);
  expect(() => createTrustedProxies([item])).toThrow(TypeError);
});
