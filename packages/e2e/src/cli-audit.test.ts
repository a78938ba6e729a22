/** `daykey audit` against the real servers: who changed what, by filters, and all of it as a file. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CommandLine, startCommandLine } from "../test/daykey.ts";

let line: CommandLine;
let result: CommandLine["result"];
beforeAll(async () => {
  line = await startCommandLine();
  ({ result } = line);
});
afterAll(() => line.stop());

interface Entry {
  seq: number;
  action: string;
  target: string;
  detail: object;
  hash: string;
}

// Each command is a process of its own.
const MANY = { timeout: 180_000 };

test("changes are found by actor, client, action and time, and exported whole", MANY, async () => {
  const { resource } = line;
  for (const id of ["shop", "till"]) {
    await result(
      `clients create ${id} --name ${id} --resource ${resource} --scope time:read --save ${id}.json`,
    );
  }
  await result("clients disable shop --yes");
  const list = async (filters: string): Promise<string[]> => {
    const { items } = JSON.parse(await result(`audit list --json ${filters}`)) as {
      items: Entry[];
    };
    return items.map(({ action, target }) => `${action} ${target}`);
  };
  expect(await list("--client shop")).toEqual(["client.disable shop", "client.create shop"]);
  expect(await list("--actor admin --action client.create --since 1h")).toEqual([
    "client.create till",
    "client.create shop",
  ]);
  expect(await list("--until 2026-01-01")).toEqual([]);
  expect(await result("audit list --client shop")).toMatch(
    /^SEQ +TIME +ACTOR +ACTION +TARGET\n\d+ .* client\.disable +shop\n\d+ .* client\.create +shop\n$/,
  );

  const lines = (await result("audit export")).trimEnd().split("\n");
  const entries = lines.map((text) => JSON.parse(text) as Entry);
  const [newest] = entries;
  expect(entries.map(({ seq }) => seq)).toEqual(
    Array.from({ length: newest?.seq ?? 0 }, (_, i) => (newest?.seq ?? 0) - i),
  );
  const { head } = JSON.parse(await result("audit verify --json")) as { head: string };
  expect(newest).toMatchObject({ hash: head, action: "client.disable", target: "shop" });
});
