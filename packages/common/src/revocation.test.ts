import { expect, test } from "vitest";
import type { Ancestor } from "./access-token.ts";
import { createRevocationSet, ISSUER_SUBJECT, type Revocation } from "./revocation.ts";

/** A grant and the one it was made from. */
interface Node extends Ancestor {
  parent: Node | undefined;
}

const TREES = 10_000;
const MOST_ANCESTORS = 5;

/** Whole numbers from 0 to below n, the same in each run (mulberry32). */
function createDice(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % n;
  };
}

function above(node: Node): Node[] {
  return node.parent ? [...above(node.parent), node.parent] : [];
}

function grow(dice: (n: number) => number): Node[] {
  const nodes: Node[] = [];
  for (let left = 2 + dice(10); left > 0; left--) {
    const parent = dice(8) === 0 ? undefined : nodes[dice(nodes.length || 1)];
    if (parent && above(parent).length === MOST_ANCESTORS) continue;
    nodes.push({
      parent,
      gid: `grant-${nodes.length}`,
      // Few names: clients that act for one that acts for them are common.
      client_id: `client-${dice(4)}`,
      cred: `cred-${dice(3)}`,
      ep: dice(4),
      ...(dice(3) > 0 && { kid: `key-${dice(3)}` }),
    });
  }
  return nodes;
}

function endSomething(dice: (n: number) => number): Revocation {
  const end = (kind: Revocation["kind"], subject: string, epoch?: number): Revocation => ({
    kind,
    subject,
    epoch,
    expiresAt: undefined,
  });
  const which = dice(20);
  if (which < 8) return end("grant", `grant-${dice(12)}`);
  if (which < 12) return end("credential", `client-${dice(4)} cred-${dice(3)}`);
  if (which < 17) return end("client", `client-${dice(4)}`, dice(5));
  return which < 19 ? end("signing_key", `key-${dice(3)}`) : end("issuer", ISSUER_SUBJECT, dice(3));
}

/** The model: each entry is held against each grant from this one to its root. */
function shouldBeDead(node: Node | undefined, ends: readonly Revocation[]): boolean {
  if (!node) return false;
  const isHit = ends.some(({ kind, subject, epoch = 0 }) => {
    if (kind === "grant") return subject === node.gid;
    if (kind === "credential") return subject === `${node.client_id} ${node.cred}`;
    if (kind === "signing_key") return subject === node.kid;
    return node.ep < epoch && (kind === "issuer" || subject === node.client_id);
  });
  return isHit || shouldBeDead(node.parent, ends);
}

test("T13: in 10,000 trees a token is dead if it or one above it was ended, and no other is", () => {
  const dice = createDice(8693);
  const wrong: object[] = [];
  const seen = { dead: 0, alive: 0, deadByAncestorAlone: 0 };
  for (let tree = 0; tree < TREES; tree++) {
    const nodes = grow(dice);
    const set = createRevocationSet();
    const ends: Revocation[] = [];
    for (let step = 0, steps = dice(4); step <= steps; step++) {
      for (const node of nodes) {
        const { parent: _parent, kid, ...own } = node;
        const anc = above(node).map(({ parent: _above, ...ancestor }) => ancestor);
        const isDead = set.isRevoked({ ...own, ...(anc.length > 0 && { anc }) }, kid);
        if (isDead !== shouldBeDead(node, ends)) wrong.push({ tree, step, node, ends });
        seen[isDead ? "dead" : "alive"]++;
        if (isDead && !set.isRevoked(own, kid)) seen.deadByAncestorAlone++;
      }
      const next = endSomething(dice);
      ends.push(next);
      set.add(next);
    }
  }
  expect(wrong.slice(0, 3)).toEqual([]);
  // The seed is fixed, so that these are too: each kind was met.
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(1000);
});
