/**
 * Returns a function that says whether something is due that is done once in `seconds` seconds: true at
 * the first call, and then at the first call that long after.
 *
 * @param elapsed seconds on a clock that never goes back
 */
export function onceIn(seconds: number, elapsed: () => number): () => boolean {
  let last = -Infinity;
  return () => {
    const now = elapsed();
    if (now - last < seconds) return false;
    last = now;
    return true;
  };
}
