/**
 * What an enemy can compute, after Dolev and Yao: from terms that are known, by one-way functions and XOR.
 * Functions are free symbols, so nothing is undone but XOR.
 *
 * Only subterms of what is known and of the goal are looked at, and nothing is missed by that: a term from
 * outside of them can enter a sum only to cancel there, and the same sum without it is known too (locality;
 * Comon-Lundh and Shmatikov, LICS 2003). So "not derivable" is an answer, and not the end of a search.
 */

export type Term =
  /** A random value, which nobody guesses. */
  | { readonly kind: "secret"; readonly name: string }
  /** A value that everybody knows: a date, a salt, a message. */
  | { readonly kind: "public"; readonly name: string }
  /** The value of a one-way function. */
  | { readonly kind: "value"; readonly of: string; readonly from: readonly Term[] }
  /** The sum of different terms, none of them a sum; the empty one is zero. */
  | { readonly kind: "sum"; readonly parts: ReadonlyMap<string, Term> };

export const secret = (name: string): Term => ({ kind: "secret", name });
export const known = (name: string): Term => ({ kind: "public", name });
export const value = (of: string, ...from: readonly Term[]): Term => ({ kind: "value", of, from });

/** XOR: what occurs twice cancels. */
export function xor(...terms: readonly Term[]): Term {
  const parts = new Map<string, Term>();
  for (const [id, part] of terms.flatMap((term) => [...partsOf(term)])) {
    if (!parts.delete(id)) parts.set(id, part);
  }
  const [only] = parts.values();
  return only !== undefined && parts.size === 1 ? only : { kind: "sum", parts };
}

/** Equal terms, and no others, have equal texts. */
function textOf(term: Term): string {
  if (term.kind === "value") return `${term.of}(${term.from.map(textOf).join(", ")})`;
  if (term.kind === "sum") return `[${[...term.parts.keys()].toSorted().join(" xor ")}]`;
  return `${term.kind} ${term.name}`;
}

function partsOf(term: Term): ReadonlyMap<string, Term> {
  return term.kind === "sum" ? term.parts : new Map([[textOf(term), term]]);
}

/** Adds a term and all that it is made of. */
function collect(term: Term, into: Map<string, Term>): void {
  const id = textOf(term);
  if (into.has(id)) return;
  into.set(id, term);
  if (term.kind === "value") for (const part of term.from) collect(part, into);
  if (term.kind === "sum") for (const part of term.parts.values()) collect(part, into);
}

/** All sums of what was added: a space over the field of two elements, kept in echelon form. */
function createSpan(): { has(term: Term): boolean; add(term: Term): void } {
  const bits = new Map<string, bigint>();
  /** By the highest bit of each. */
  const rows = new Map<number, bigint>();
  const topOf = (vector: bigint): number => vector.toString(2).length;

  function reduce(term: Term): bigint {
    let vector = 0n;
    for (const id of partsOf(term).keys()) {
      const bit = bits.get(id) ?? 1n << BigInt(bits.size);
      bits.set(id, bit);
      vector ^= bit;
    }
    for (let row; vector !== 0n && (row = rows.get(topOf(vector))) !== undefined;) vector ^= row;
    return vector;
  }

  return {
    has: (term) => reduce(term) === 0n,
    add(term) {
      const vector = reduce(term);
      if (vector !== 0n) rows.set(topOf(vector), vector);
    },
  };
}

/** Those of the goals that someone who has seen `seen` can compute. */
export function derivable<Name extends string>(
  seen: readonly Term[],
  goals: Readonly<Record<Name, Term>>,
): Name[] {
  const named = Object.entries(goals) as [Name, Term][];
  const universe = new Map<string, Term>();
  for (const term of [...seen, ...named.map(([, goal]) => goal)]) collect(term, universe);
  const span = createSpan();
  for (const term of seen) span.add(term);
  for (const term of universe.values()) if (term.kind === "public") span.add(term);
  for (let hasGrown = true; hasGrown;) {
    hasGrown = false;
    for (const term of universe.values()) {
      if (term.kind !== "value" || span.has(term) || !term.from.every(span.has)) continue;
      span.add(term);
      hasGrown = true;
    }
  }
  return named.filter(([, goal]) => span.has(goal)).map(([name]) => name);
}

/** The bytes of a term, so that it can be held against what the program makes. */
export function bytesOf(
  term: Term,
  {
    atom,
    apply,
  }: {
    atom: (name: string) => Uint8Array;
    apply: (of: string, from: readonly Uint8Array[]) => Uint8Array;
  },
): Uint8Array {
  const bytes = (part: Term): Uint8Array => bytesOf(part, { atom, apply });
  if (term.kind === "value") return apply(term.of, term.from.map(bytes));
  if (term.kind !== "sum") return atom(term.name);
  const sums = [...term.parts.values()].map(bytes);
  return Uint8Array.from(sums[0] ?? [], (_, i) =>
    sums.reduce((sum, each) => sum ^ (each[i] ?? 0), 0),
  );
}
