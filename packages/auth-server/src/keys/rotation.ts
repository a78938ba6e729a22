/**
 * Key rotation as pure rules: which key is used at an instant, which are still known, and what is due.
 * A key is born ahead of its first use, so every instance and every validator knows it by then, and
 * outlives its last use by the life of what it made.
 */

/** All times are epoch seconds. */
export interface KeyTimes {
  kid: string;
  algorithm: string;
  /** First use. */
  activeAt: number;
}

export interface RotationPolicy {
  /** What a key made now is for: `ES256`, …, or the MAC of refresh tokens. */
  algorithm: string;
  rotateEverySeconds: number;
  /** From a key's birth to its first use, the very first key of all excepted. */
  aheadSeconds: number;
  /** From a key's last use to its removal. */
  keepSeconds: number;
}

/**
 * The key in use at `at`: the latest that is active or, before any is, the first to become so (the
 * clock of another instance made it). Undefined without keys.
 */
export function keyInUse<K extends KeyTimes>(keys: readonly K[], at: number): K | undefined {
  const inOrder = keys.toSorted((a, b) => (isLater(a, b) ? 1 : -1));
  return inOrder.findLast((key) => key.activeAt <= at) ?? inOrder[0];
}

/**
 * Since when the key in use is used, and when the next one is to be, in epoch seconds. A `nextAt` that
 * has passed means that nobody rotates. Undefined without keys.
 */
export function keyTimes(
  keys: readonly KeyTimes[],
  policy: RotationPolicy,
  at: number,
): { usedSince: number; nextAt: number } | undefined {
  const current = keyInUse(keys, at);
  if (!current) return undefined;
  const due = current.activeAt + policy.rotateEverySeconds;
  return { usedSince: current.activeAt, nextAt: Math.min(lastUseAt(keys, current), due) };
}

/** When a key was, or will be, last used: as its successor becomes active. Infinity without one. */
function lastUseAt(keys: readonly KeyTimes[], key: KeyTimes): number {
  const successors = keys.filter((other) => isLater(other, key));
  return Math.min(...successors.map((successor) => successor.activeAt));
}

/** Two keys of the same instant are told apart by kid, so every instance chooses the same. */
function isLater(a: KeyTimes, b: KeyTimes): boolean {
  return a.activeAt > b.activeAt || (a.activeAt === b.activeAt && a.kid > b.kid);
}

/** What is due at `at`: a key to make (with its first use) and the kids to remove. */
export function rotationDue(
  keys: readonly KeyTimes[],
  policy: RotationPolicy,
  at: number,
): { create: { activeAt: number } | undefined; remove: string[] } {
  const remove = keys
    .filter((key) => lastUseAt(keys, key) + policy.keepSeconds <= at)
    .map((key) => key.kid);
  const newest = keys.find((key) => lastUseAt(keys, key) === Infinity);
  if (!newest) return { create: { activeAt: at }, remove };
  const earliestUseAt = at + policy.aheadSeconds;
  if (newest.algorithm !== policy.algorithm) {
    // After the newest, even one that is not used yet: the new key has to be the last word.
    return { create: { activeAt: Math.max(newest.activeAt + 1, earliestUseAt) }, remove };
  }
  const nextUseAt = newest.activeAt + policy.rotateEverySeconds;
  const create = nextUseAt <= earliestUseAt ? { activeAt: earliestUseAt } : undefined;
  return { create, remove };
}
