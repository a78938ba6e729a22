import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDesk, type Desk } from "../test/run-daykey.ts";

let desk: Desk;
beforeAll(async () => (desk = await createDesk()));
afterAll(() => desk.remove());

const CHECKS: Record<string, readonly string[]> = {
  bash: ["-n"],
  zsh: ["-n"],
  fish: ["--no-execute"],
};

for (const [shell, options] of Object.entries(CHECKS)) {
  const isThere = spawnSync(shell, ["-c", "true"]).status === 0;
  test.skipIf(!isThere)(`the script is valid ${shell}`, async () => {
    const { code, stdout, stderr } = await desk.run(["completion", shell]);
    expect([code, stderr]).toEqual([0, ""]);
    const file = join(desk.folder, shell);
    await writeFile(file, stdout);
    expect(spawnSync(shell, [...options, file]).stderr.toString()).toBe("");
  });
}

test.each([
  ["daykey cl", ["clients", "client-keys"]],
  ["daykey secrets ro", ["rotate"]],
  ["daykey secrets rotate billing --ov", ["--overlap"]],
  ["daykey --json keys l", ["list"]],
  ["daykey completion z", []],
])("bash completes %j", async (line, expected) => {
  const { stdout } = await desk.run(["completion", "bash"]);
  const words = line.split(" ");
  const script = `${stdout}
COMP_WORDS=(${words.join(" ")}); COMP_CWORD=${words.length - 1}; _daykey
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout: found } = spawnSync("bash", ["-c", script], { encoding: "utf8" });
  expect(found.split("\n").filter(Boolean).toSorted()).toEqual(expected.toSorted());
});
