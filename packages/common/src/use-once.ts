/** What may be used once, stored in batches: nonces. */
import { createGroupCommit } from "./group-commit.ts";

/**
 * Returns a function that resolves to whether the item was never used before. One that comes again while
 * it is being stored does not wait for a commit of its own: a flood of it would keep others out.
 *
 * @param options.flush stores a batch without equal keys; for each whether it was new, in order
 */
export function createUseOnce<T>({
  flush,
  keyOf,
}: {
  flush: (batch: T[]) => Promise<boolean[]>;
  keyOf: (item: T) => string;
}): (item: T) => Promise<boolean> {
  const commit = createGroupCommit<T, boolean>({ flush });
  const using = new Map<string, Promise<boolean>>();
  return (item) => {
    const key = keyOf(item);
    const first = using.get(key);
    if (first) return first.then(() => false);
    const used = commit(item).finally(() => using.delete(key));
    using.set(key, used);
    return used;
  };
}
