/**
 * Rotations of refresh tokens where they are stored, without HTTP or signatures: Daykey's one statement
 * in groups, and a transaction of knex that selects and then updates, as it is usually written. A
 * process of its own on the server's core; it is told by message what to do for how long.
 */
import { randomUUID } from "node:crypto";
import { createGrantsStore } from "@daykey/auth-server/grants/grants-store";
import { createDatabase } from "@daykey/service/database/database";
import { createLog } from "@daykey/service/observe/log";
import knex from "knex";

export interface RotationOrder {
  by: "statement" | "transaction";
  seconds: number;
}

export interface RotationResult {
  answers: number;
  seconds: number;
  cpuMicroseconds: number;
}

const IN_FLIGHT = 64;
const LIFE_SECONDS = 86_400;

const connectionString = process.env["DATABASE_URL"] ?? "";
const log = createLog({ name: "bench", level: "silent" });
const database = createDatabase({ connectionString, log });
const grants = createGrantsStore(database, { newsSeconds: LIFE_SECONDS });
const builder = knex({
  client: "pg",
  connection: process.env["OWNER_DATABASE_URL"] ?? "",
  pool: { min: 0, max: 10 },
});

/** Rotates a grant once; `seq` is what it stands at. */
type Rotate = (grantId: string, seq: number) => Promise<void>;

const rotateBy: Record<RotationOrder["by"], Rotate> = {
  async statement(grantId, seq) {
    const expiresAt = Math.floor(Date.now() / 1000) + LIFE_SECONDS;
    const outcome = await grants.rotate({ grantId, clientId: "client", seq, expiresAt });
    if (outcome.kind !== "rotated") throw new Error(outcome.kind);
  },
  async transaction(id, seq) {
    await builder.transaction(async (tx) => {
      const row = await tx<Row>("bench_grants").where({ id }).first();
      if (row === undefined) {
        await tx<Row>("bench_grants").insert({ id, client_id: "client", seq: 1 });
      } else if (row.seq === seq) {
        await tx<Row>("bench_grants")
          .where({ id })
          .update({ seq: seq + 1, rotated_at: tx.fn.now() });
      } else {
        throw new Error("another number");
      }
    });
  },
};

interface Row {
  id: string;
  client_id: string;
  seq: number;
  rotated_at: Date;
}

async function rotateFor({ by, seconds }: RotationOrder): Promise<RotationResult> {
  const rotate = rotateBy[by];
  const startedAt = performance.now();
  const usedBefore = process.cpuUsage();
  const endAt = startedAt + seconds * 1000;
  let answers = 0;
  const one = async (): Promise<void> => {
    const grantId = randomUUID();
    for (let seq = 0; performance.now() < endAt; seq++) {
      await rotate(grantId, seq);
      answers += 1;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, one));
  const { user, system } = process.cpuUsage(usedBefore);
  const took = (performance.now() - startedAt) / 1000;
  return { answers, seconds: took, cpuMicroseconds: (user + system) / answers };
}

await builder.schema.createTable("bench_grants", (table) => {
  table.uuid("id").primary();
  table.text("client_id").notNullable();
  table.integer("seq").notNullable();
  table.timestamp("rotated_at").defaultTo(builder.fn.now());
});
process.on("message", (order: RotationOrder) => {
  void rotateFor(order).then((result) => process.send?.(result));
});
process.on("disconnect", () => process.exit());
process.send?.("ready");
