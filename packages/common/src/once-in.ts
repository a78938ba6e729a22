/**
 * Returns a function that tells whether to do something that is done once in so many seconds: true at
 * the first call, and then at the first one so long after.
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
