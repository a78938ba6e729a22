import { write } from "node:fs";

/** Where log lines go. */
export interface LogDestination {
  /** Never throws and never waits. */
  write(line: string): void;
  /** Waits until every line is written, `waitSeconds` at most; false when some still wait. */
  flush(waitSeconds: number): Promise<boolean>;
}

/** PIPE_BUF of Linux: a write to a pipe of no more than this comes out in one piece. */
const ATOMIC_BYTES = 4096;

/** How long to leave a full non-blocking pipe alone, in milliseconds. */
const RETRY_MS = 50;

/**
 * Writes lines to a file descriptor in the background, one write at a time. While a reader is slow,
 * at most `maxWaiting` characters wait; lines beyond are dropped, and one line says how many.
 *
 * pino's own destination is not used: at exit it waits for a blocked reader without end.
 *
 * @param options.isShared other processes write there too: lines go out in writes that keep them whole
 */
export function createLogDestination({
  fd,
  maxWaiting = 4 * 1024 * 1024,
  isShared = false,
}: {
  fd: number;
  maxWaiting?: number;
  isShared?: boolean;
}): LogDestination {
  const waiting: string[] = [];
  let waitingLength = 0;
  let dropped = 0;
  let current: Buffer | undefined;
  let broken = false;
  let idle = Promise.withResolvers<void>();

  function keep(line: string): void {
    waiting.push(line);
    waitingLength += line.length;
  }

  function writeNext(): void {
    if (current === undefined) {
      if (dropped > 0) keep(droppedLine(dropped));
      if (waiting.length === 0) return idle.resolve();
      const lines = waiting.splice(0, isShared ? wholeLines(waiting) : waiting.length);
      const text = lines.join("");
      current = Buffer.from(text);
      waitingLength -= text.length;
      dropped = 0;
    }
    write(fd, current, (error, written) => {
      if (error?.code === "EAGAIN") {
        setTimeout(writeNext, RETRY_MS).unref();
        return;
      }
      // A reader that is gone stays gone; any other failure (a full disk) costs this chunk alone.
      if (error?.code === "EPIPE") broken = true;
      const rest = error ? undefined : current?.subarray(written);
      current = rest?.length === 0 ? undefined : rest;
      if (broken) waiting.length = 0;
      writeNext();
    });
  }

  return {
    write(line) {
      if (broken) return;
      if (waitingLength + line.length > maxWaiting) {
        dropped += 1;
        return;
      }
      const isIdle = current === undefined && waiting.length === 0;
      keep(line);
      if (!isIdle) return;
      idle = Promise.withResolvers();
      // The lines of one turn of the event loop share a write.
      setImmediate(writeNext);
    },

    async flush(waitSeconds) {
      if (current === undefined && waiting.length === 0) return true;
      const deadline = Promise.withResolvers<boolean>();
      const timer = setTimeout(deadline.resolve, waitSeconds * 1000, false);
      const isWritten = await Promise.race([idle.promise.then(() => true), deadline.promise]);
      clearTimeout(timer);
      return isWritten;
    },
  };
}

/** How many lines fit into one write; the first goes alone when it does not. */
function wholeLines(lines: readonly string[]): number {
  let bytes = 0;
  const tooFar = lines.findIndex((line) => (bytes += Buffer.byteLength(line)) > ATOMIC_BYTES);
  return tooFar === -1 ? lines.length : Math.max(tooFar, 1);
}

function droppedLine(count: number): string {
  return `${JSON.stringify({ level: "warn", dropped: count, msg: "log lines dropped: the reader is too slow" })}\n`;
}
