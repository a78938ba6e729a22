import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { OAuthError } from "@daykey/common/oauth-error";
import { expect, test } from "vitest";

import { createTestLog } from "../../test/log.ts";
import { ConfigError } from "../process/config.ts";
import { problem } from "../http/problem-error.ts";

/** Errors whose own message, or a part of them, holds what a caller sent. */
function hostileErrors(): Error[] {
  const pgLike = Object.assign(new Error('duplicate key "canary"'), {
    code: "23505",
    detail: "Key (secret)=(canary) already exists.",
    where: "canary",
    query: "select canary",
  });
  const changed = new Error("harmless");
  changed.message = "canary";
  const renamed = new Error("canary");
  renamed.name = "canary";
  const frames = new Error("canary\n    at canary (file:///canary:1:1)\n    at canary");
  const stackless = new Error("canary");
  delete stackless.stack;
  const odd = Object.assign(new Error("canary"), { code: "canary with spaces", stack: "canary" });
  return [
    pgLike,
    changed,
    renamed,
    frames,
    stackless,
    odd,
    new TypeError("outer canary", { cause: new Error("inner canary", { cause: "canary" }) }),
    new AggregateError([new Error("canary")], "canary"),
    new OAuthError("server_error", "fixed text", { cause: new Error("canary") }),
  ];
}

test.each(hostileErrors())("L1: what a foreign error quotes stays out of the log (%#)", (error) => {
  const { log, text } = createTestLog();
  log.error({ err: error }, "failed");
  log.error({ other: error, requestId: "r" }, "failed");
  expect(text()).toContain('"msg":"failed"');
  expect(text()).not.toContain("canary");
});

test("L1: what was thrown without being an error is not quoted either", () => {
  const { log, lines } = createTestLog();
  log.fatal({ err: "canary" }, "thrown");
  log.fatal({ err: { message: "canary" } }, "thrown");
  expect(lines.map(({ err }) => err)).toEqual([{ type: "string" }, { type: "object" }]);
});

test("an error is logged by type, code, frames and cause", () => {
  const { log, lines } = createTestLog();
  const cause = Object.assign(new RangeError("secret"), { code: "ERANGE" });
  log.error({ err: new TypeError("secret", { cause }) }, "failed");
  expect(lines).toMatchObject([
    {
      level: "error",
      name: "test",
      msg: "failed",
      err: {
        type: "TypeError",
        stack: expect.stringMatching(/^TypeError\n {4}at .*log\.test\.ts:\d+:\d+/),
        cause: { type: "RangeError", code: "ERANGE" },
      },
    },
  ]);
});

test("the message of our own errors is fixed text, and logged", () => {
  const { log, lines } = createTestLog();
  for (const err of [
    new OAuthError("invalid_grant", "The grant is not valid."),
    problem(409, { detail: "There are two already." }),
    new ConfigError(["PORT must be a number"]),
  ]) {
    log.warn({ err }, "refused");
  }
  expect(lines.map((line) => (line["err"] as { message: string }).message)).toEqual([
    "invalid_grant: The grant is not valid.",
    "There are two already.",
    "The settings cannot be used:\n  PORT must be a number",
  ]);
});

test("L3: CR, LF and ANSI sequences cannot forge a line", () => {
  const { log, text } = createTestLog();
  log.info({ client: 'a\r\n{"level":"fatal"}\u001b[2J\u0085\u2028' }, "x\ny");
  expect(text().trimEnd().split("\n")).toHaveLength(1);
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  expect(text()).not.toMatch(/[\r\u001b]/);
});

test("lines below the level are not written", () => {
  const { log, lines } = createTestLog("warn");
  log.info("quiet");
  log.warn("loud");
  expect(lines.map(({ msg }) => msg)).toEqual(["loud"]);
});

const CHATTER = fileURLToPath(new URL("../../test/chatter.ts", import.meta.url));

test("L4: a log pipe nobody reads stalls nothing; what did not fit is counted", async () => {
  const child = spawn(process.execPath, [CHATTER], { stdio: ["pipe", "pipe", "inherit", "ipc"] });
  const [message] = (await once(child, "message")) as [string];
  expect(message).toBe("still running");
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text));
  await once(child, "close");
  const lines = output.trimEnd().split("\n");
  const dropped = lines.map((line) => JSON.parse(line) as { dropped?: number; msg: string });
  const count = dropped.reduce((sum, line) => sum + (line.dropped ?? 0), 0);
  const written = dropped.filter(({ msg }) => msg === "chatter").length;
  expect(count).toBeGreaterThan(0);
  expect(count + written).toBe(20_000);
  expect(dropped.at(-1)?.msg).toBe("stopped");
});

test("L4: a process whose log nobody reads can still end", async () => {
  const child = spawn(process.execPath, [CHATTER], { stdio: ["pipe", "pipe", "inherit", "ipc"] });
  await once(child, "message");
  expect(await once(child, "exit")).toEqual([null, "SIGKILL"]);
});
