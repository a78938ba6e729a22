/**
 * The /64 network of an IPv6 address, which one host commonly holds all of: what limits count by.
 * @param address in any spelling, without a zone and not IPv4-mapped; whether it is one is not checked
 */
export function ipv6Network(address: string): string {
  const [head = "", tail] = address.split("::");
  const groups = head === "" ? [] : head.split(":");
  const filled = tail === undefined ? groups : [...groups, "0", "0", "0", "0"];
  const network = filled.slice(0, 4).map((group) => group.toLowerCase().replace(/^0+(?=.)/, ""));
  return `${network.join(":")}::/64`;
}
