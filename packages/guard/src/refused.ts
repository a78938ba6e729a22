/** A refusal on its way, from wherever it is found. `refusals.ts` makes the answer of it. */
import type { ProblemCode } from "@daykey/common/problems";

interface Told {
  /** Only when the kind is a status. */
  title?: string;
  detail?: string;
  reason?: string;
  headers?: Record<string, string>;
}

/** Thrown where it is found that the request is refused, whoever sent it. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly kind: ProblemCode | number;
  readonly told: Told;

  /** @param kind a problem of the table, or a status alone, whose type is then `about:blank` */
  constructor(kind: ProblemCode | number, told: Told = {}) {
    super(told.reason ?? String(kind));
    this.kind = kind;
    this.told = told;
  }
}
