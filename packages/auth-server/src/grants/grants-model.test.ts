/** The table of docs/protocol.md §2 as a small model, and the real store beside it, over random histories. */
import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDatabase, type Database } from "@daykey/service/database/database";
import { createTestDatabase, type TestDatabase } from "@daykey/service/test/database";
import { createTestLog } from "@daykey/service/test/log";
import { ageRotation, grantRow } from "../../test/refresh.ts";
import { createGrantsStore, type GrantsStore } from "./grants-store.ts";
import type { RefreshOutcome } from "./rules.ts";

let rows: TestDatabase;
let databases: Database[];
let stores: GrantsStore[];
beforeAll(async () => {
  rows = await createTestDatabase();
  const { log } = createTestLog();
  databases = [0, 1].map(() => createDatabase({ connectionString: rows.appUrl, log, max: 2 }));
  stores = databases.map((own) => createGrantsStore(own, { newsSeconds: 3900 }));
});
afterAll(async () => {
  await Promise.all(databases.map((database) => database.close()));
  await rows.drop();
});

interface Model {
  seq: number;
  /** Seconds since the last rotation. */
  age: number;
  reason: string | null;
}

/** A token that was issued or, after `forget`, was issued once: numbers up to two past the row's. */
type Step =
  | { do: "present"; offset: number; times: number }
  | { do: "revoke" }
  | { do: "age"; seconds: number }
  | { do: "forget" };

type Kind = RefreshOutcome["kind"];

function present(model: Model | undefined, p: number): [Model | undefined, Kind] {
  if (!model)
    return p === 0 ? [{ seq: 1, age: 0, reason: null }, "rotated"] : [model, "unknown_number"];
  if (p > model.seq) return [model, "unknown_number"];
  if (model.reason !== null) return [model, "revoked"];
  if (p === model.seq) return [{ ...model, seq: p + 1, age: 0 }, "rotated"];
  if (p < model.seq - 1) return [{ ...model, reason: "reuse" }, "reuse"];
  return model.age <= 60 ? [model, "retried"] : [{ ...model, reason: "late_retry" }, "late_retry"];
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant("present" as const),
        offset: fc.constantFrom(0, 0, 0, -1, -1, -2, -3, 1, 2),
        times: fc.constantFrom(1, 1, 2, 3),
      }),
    },
    // Never a sum near 60, so that the run's own time changes nothing.
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant("age" as const), seconds: fc.constantFrom(25, 70) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("revoke" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("forget" as const) }) },
  ),
  { minLength: 1, maxLength: 15 },
);

/** A grant of its own: what the model expects and what the stores do, step by step. */
function openHistory(): { take(step: Step): Promise<void>; state(): Promise<unknown[]> } {
  const grantId = randomUUID();
  const grant = { grantId, clientId: "a-client", expiresAt: Date.now() / 1000 + 3600 };
  let model: Model | undefined;

  async function presentAtOnce(seq: number, times: number): Promise<void> {
    const expected: Kind[] = [];
    for (let i = 0; i < times; i++) {
      const [next, kind] = present(model, seq);
      model = next;
      expected.push(kind);
    }
    const outcomes = await Promise.all(
      expected.map((_, i) => (stores[i % 2] as GrantsStore).rotate({ ...grant, seq })),
    );
    expect(outcomes.map(({ kind }) => kind).toSorted()).toEqual(expected.toSorted());
    const successors = outcomes.flatMap((outcome) => ("seq" in outcome ? [outcome.seq] : []));
    expect(new Set(successors)).toEqual(new Set(successors.map(() => seq + 1)));
  }

  return {
    async take(step) {
      if (step.do === "present") {
        await presentAtOnce(Math.max(0, (model?.seq ?? 0) + step.offset), step.times);
      } else if (step.do === "revoke") {
        await (stores[0] as GrantsStore).revoke(grant);
        model = { seq: 0, age: 0, ...model, reason: model?.reason ?? "revoked" };
      } else if (step.do === "age") {
        await ageRotation(rows, grantId, step.seconds);
        model &&= { ...model, age: model.age + step.seconds };
      } else {
        await rows.query("delete from daykey.grants where id = $1", [grantId]);
        model = undefined;
      }
    },
    /** The row as it is, and as the model has it. */
    async state() {
      const row = await grantRow(rows, grantId);
      return [
        row && { seq: row.seq, reason: row.revoke_reason, isRevoked: row.revoked_at !== null },
        model && { seq: model.seq, reason: model.reason, isRevoked: model.reason !== null },
      ];
    },
  };
}

test("every history of presentations, retries, revocations and lost rows goes as the table says", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (taken) => {
      const history = openHistory();
      for (const step of taken) {
        await history.take(step);
        const [row, model] = await history.state();
        expect(row).toEqual(model);
      }
    }),
    { numRuns: 300 },
  );
});
