/**
 * The log: JSON lines, written without ever waiting for the reader (`log-destination.ts`). Secrets
 * stay out of it because errors are reduced (`error-fields.ts`) and nothing logs a URL or a header.
 */
import pino from "pino";

import { serializeErrors } from "./error-fields.ts";
import { createLogDestination, type LogDestination } from "./log-destination.ts";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

interface Write {
  (fields: Readonly<Record<string, unknown>>, message: string): void;
  (message: string): void;
}

/** An error goes into a field (`{ err: error }`), never into the message. */
export interface Log {
  readonly trace: Write;
  readonly debug: Write;
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
  readonly fatal: Write;
  /** Waits until what was logged is written, `waitSeconds` (default 1) at most; false when it is not. */
  flush(waitSeconds?: number): Promise<boolean>;
}

/**
 * @param options.destination where lines go, standard output by default.
 * @param options.isShared other processes write there too
 * @param options.fields for every line, asked as it is written
 */
export function createLog(options: {
  name: string;
  level: LogLevel;
  destination?: LogDestination;
  isShared?: boolean;
  fields?: (() => object) | undefined;
}): Log {
  const { fields } = options;
  const destination =
    options.destination ?? createLogDestination({ fd: 1, isShared: options.isShared ?? false });
  const logger = pino(
    {
      level: options.level,
      base: { name: options.name, pid: process.pid },
      ...(fields && { mixin: fields }),
      timestamp: isoTime,
      formatters: { level: (level) => ({ level }), log: serializeErrors },
      // The formatter has reduced the error; pino's own serializer would look for its message.
      serializers: { err: (value: unknown) => value },
    },
    destination,
  );
  const write =
    (level: pino.Level): Write =>
    (first: Readonly<Record<string, unknown>> | string, message?: string) => {
      if (typeof first === "string") logger[level](first);
      else logger[level](first, message);
    };
  return {
    trace: write("trace"),
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    fatal: write("fatal"),
    flush: (waitSeconds = 1) => destination.flush(waitSeconds),
  };
}

let knownMillisecond = NaN;
let knownTime = "";

/** As pino's own, but written once for all lines of a millisecond. */
function isoTime(): string {
  // oxlint-disable-next-line daykey/no-current-time -- the log's own time, as pino reads it
  const now = Date.now();
  if (now !== knownMillisecond) {
    knownMillisecond = now;
    knownTime = `,"time":"${new Date(now).toISOString()}"`;
  }
  return knownTime;
}
