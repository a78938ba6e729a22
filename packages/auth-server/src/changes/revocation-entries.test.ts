import { afterAll, beforeAll, expect, test } from "vitest";

import { startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";
import { writeEntries } from "./revocation-entries-store.ts";

let server: TestAuthServer;
beforeAll(async () => {
  server = await startAuthServer();
});
afterAll(() => server.stop());

const at = (second: number) => `to_timestamp(${second})`;
const FAR = 4_000_000_000;

test.each([
  ["keep", 3, 5, { isTold: false, epoch: 3, end: FAR }],
  ["keep", 3, 2, { isTold: false, epoch: 3, end: FAR }],
  ["replace", 3, 5, { isTold: true, epoch: 5, end: FAR - 10 }],
  ["replace", 3, 2, { isTold: true, epoch: 2, end: FAR - 10 }],
  ["raise", 3, 5, { isTold: true, epoch: 5, end: FAR }],
  ["raise", 3, 2, { isTold: true, epoch: 3, end: FAR }],
] as const)(
  "an entry that is repeated by %s: epoch %d, then %d",
  async (repeated, first, second, { isTold, epoch, end }) => {
    const subject = `${repeated}-${second}`;
    const write = (own: number, expiresAt: number) =>
      server.database.query(
        writeEntries({
          kind: "client",
          subject: `'${subject}'`,
          epoch: String(own),
          expiresAt: at(expiresAt),
          repeated,
        }),
      );
    const read = async () => {
      const [row] = await server.database.query<{ change: number; epoch: number; end: number }>(
        `select change::float8 as change, epoch, extract(epoch from expires_at)::float8 as end
         from daykey.revocations where subject = '${subject}'`,
      );
      return row;
    };
    await write(first, FAR);
    const before = await read();
    await write(second, FAR - 10);
    const after = await read();
    expect(after).toMatchObject({ epoch, end });
    // A number that is new is read by everyone who follows the entries.
    expect((after?.change ?? 0) > (before?.change ?? 0)).toBe(isTold);
  },
);
