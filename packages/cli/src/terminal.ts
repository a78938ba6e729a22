/**
 * The terminal, or what stands in its place: results go to standard output, everything else (progress,
 * hints, questions, faults) to standard error, so that a pipe gets results alone.
 */
import type { ReadStream, WriteStream } from "node:tty";
import { createPaint, type Paint } from "./output.ts";

export interface Terminal {
  /** A result. */
  print(text: string): void;
  /** Anything else; one line. */
  note(line: string): void;
  /** Colours of standard output and of standard error. */
  paint: Paint;
  paintNote: Paint;
  /** Whether someone sees standard error. */
  isWatched: boolean;
  /** Whether someone is there who can be asked. */
  canAsk: boolean;
  /** Whether standard input is a file or a pipe, with something to read. */
  hasInput: boolean;
  /** All of standard input; typed on a terminal it is seen. */
  readInput(): Promise<string>;
  /** Yes or no; no by default. */
  ask(question: string): Promise<boolean>;
  /** Shows that something is going on while it lasts, on a terminal only. */
  during<T>(label: string, work: () => Promise<T>): Promise<T>;
  /** Removes what `during` shows. */
  clear(): void;
}

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MILLISECONDS = 80;
const PATIENCE_MILLISECONDS = 200;
const CLEAR_LINE = "\r\u001B[2K";

export function createTerminal({
  stdin,
  stdout,
  stderr,
  env,
}: {
  stdin: ReadStream;
  stdout: WriteStream;
  stderr: WriteStream;
  env: Readonly<Record<string, string | undefined>>;
}): Terminal {
  const isDumb = env["TERM"] === "dumb";
  const wantsColor = (env["NO_COLOR"] ?? "") === "" && !isDumb;
  const canAsk = stdin.isTTY && stderr.isTTY;
  let spinning: NodeJS.Timeout | undefined;

  function clear(): void {
    if (spinning === undefined) return;
    clearInterval(spinning);
    spinning = undefined;
    stderr.write(CLEAR_LINE);
  }

  async function readInput(): Promise<string> {
    stdin.setEncoding("utf8");
    let text = "";
    for await (const chunk of stdin) text += String(chunk);
    return text;
  }

  /** One line from the terminal. */
  function readLine(): Promise<string> {
    return new Promise((resolve) => {
      stdin.setEncoding("utf8");
      let text = "";
      const done = (): void => {
        stdin.off("data", onData).off("end", done).pause();
        resolve(text);
      };
      const onData = (chunk: string): void => {
        text += chunk;
        if (text.includes("\n")) done();
      };
      stdin.on("data", onData).on("end", done).resume();
    });
  }

  return {
    print: (text) => void stdout.write(text),
    note: (line) => void stderr.write(`${line}\n`),
    paint: createPaint(wantsColor && stdout.isTTY),
    paintNote: createPaint(wantsColor && stderr.isTTY),
    isWatched: stderr.isTTY,
    canAsk,
    hasInput: !stdin.isTTY,
    readInput,
    async ask(question) {
      stderr.write(`${question} [y/N] `);
      return /^y(es)?$/i.test((await readLine()).trim());
    },
    async during(label, work) {
      if (!stderr.isTTY || isDumb) return work();
      let frame = 0;
      const draw = (): void => {
        const mark = FRAMES[frame++ % FRAMES.length] ?? "";
        stderr.write(`${CLEAR_LINE}${mark} ${label}`);
      };
      // What is quick is not worth a flicker.
      const patience = setTimeout(() => {
        draw();
        spinning = setInterval(draw, FRAME_MILLISECONDS);
      }, PATIENCE_MILLISECONDS);
      try {
        return await work();
      } finally {
        clearTimeout(patience);
        clear();
      }
    },
    clear,
  };
}
