import { createLog, type Log, type LogLevel } from "../src/observe/log.ts";

/** A log whose lines stay in memory, as text and parsed. */
export function createTestLog(
  level: LogLevel = "debug",
  fields?: () => object,
): {
  log: Log;
  lines: Record<string, unknown>[];
  text(): string;
} {
  const lines: Record<string, unknown>[] = [];
  let text = "";
  const destination = {
    write(line: string) {
      text += line;
      lines.push(JSON.parse(line) as Record<string, unknown>);
    },
    flush: () => Promise.resolve(true),
  };
  return { log: createLog({ name: "test", level, destination, fields }), lines, text: () => text };
}
