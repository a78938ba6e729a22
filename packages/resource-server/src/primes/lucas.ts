/**
 * The strong Lucas probable-prime test with Selfridge's parameters, as Baillie–PSW uses it
 * (Baillie & Wagstaff, Lucas pseudoprimes, Math. Comp. 35 (1980), method A).
 */
import { isSquare, jacobi, splitTwos } from "@daykey/common/integers";

/** Whether odd n > 2 passes. A square never does; a failure proves n composite. */
export function isStrongLucasProbablePrime(n: bigint): boolean {
  const d = selfridgeD(n);
  if (d === undefined) return false;
  const q = (1n - d) / 4n;
  const { odd, twos } = splitTwos(n + 1n);

  // U_k and V_k for P = 1, and Q^k, all mod n, for the leading bits k of the exponent.
  let [u, v, qk] = [1n, 1n, q];
  for (const bit of odd.toString(2).slice(1)) {
    u = (u * v) % n;
    v = (v * v - 2n * qk) % n;
    qk = (qk * qk) % n;
    if (bit === "1") {
      [u, v] = [half(u + v, n), half(d * u + v, n)];
      qk = (qk * q) % n;
    }
  }
  if (u === 0n || v === 0n) return true;
  for (let i = 1; i < twos; i++) {
    v = (v * v - 2n * qk) % n;
    if (v === 0n) return true;
    qk = (qk * qk) % n;
  }
  return false;
}

/**
 * The first D of 5, −7, 9, −11, … with Jacobi symbol (D/n) = −1; undefined when one shares a factor
 * with n, or n is a square and so has none. The search is short for others: two on average.
 */
function selfridgeD(n: bigint): bigint | undefined {
  if (isSquare(n)) return undefined;
  for (let d = 5n; ; d = d > 0n ? -(d + 2n) : 2n - d) {
    const symbol = jacobi(d, n);
    if (symbol === -1) return d;
    const divides = d === n || d === -n;
    if (symbol === 0 && !divides) return undefined;
  }
}

/** x / 2 mod n, for odd n. */
function half(x: bigint, n: bigint): bigint {
  return (((x & 1n) === 0n ? x : x + n) >> 1n) % n;
}
