/**
 * The pause before the next try, in the unit of `first` and `longest`: it doubles from `first` with each
 * failure before this one, up to `longest`. A random part of it counts, at least half, so that many do
 * not come back at once.
 *
 * @param failures how many failed before this one; 0 for the first
 * @param random from 0 to 1; 1 gives the whole pause
 */
export function backoff(
  failures: number,
  [first, longest]: readonly [first: number, longest: number],
  random: number,
): number {
  return Math.min(first * 2 ** failures, longest) * (0.5 + random / 2);
}
