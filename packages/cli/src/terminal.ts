/**
 * The terminal, or what stands in its place: results go to standard output, everything else (progress,
 * hints, questions, faults) to standard error, so that a pipe gets results alone.
 */
import type { ReadStream } from "node:tty";
import { createPaint, type Paint } from "./output.ts";
import { lossAt, writeWhole } from "./standard-output.ts";
import { decodeText } from "./text.ts";

/** Where output goes: a descriptor, and what is known of it. */
export interface Sink {
  fd: number;
  isTTY: boolean;
  /** In columns, where it is a terminal that knows. Asked for when something is laid out. */
  columns?: () => number | undefined;
}

export interface Terminal {
  /** A result. What cannot be written is told in `outputFault`, and no more is tried. */
  print(text: string): void;
  /** Why standard output could not be written, such as `ENOSPC`; `EPIPE` when its reader has gone. */
  readonly outputFault: string | undefined;
  /** Why standard output would lose what is printed, as far as it is known before. */
  outputLoss(): string | undefined;
  /** Anything else; one line. */
  note(line: string): void;
  /** Colours of standard output and of standard error. */
  paint: Paint;
  paintNote: Paint;
  /** The width of standard output, in columns; undefined where it is no terminal. */
  readonly width: number | undefined;
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
  stdout: Sink;
  stderr: Sink;
  env: Readonly<Record<string, string | undefined>>;
}): Terminal {
  const isDumb = env["TERM"] === "dumb";
  const forced = env["FORCE_COLOR"] ?? "";
  const isForced = forced !== "" && forced !== "0" && forced !== "false";
  const isRefused = (env["NO_COLOR"] ?? "") !== "" || forced === "0" || forced === "false";
  const hasColor = ({ isTTY }: Sink): boolean => !isRefused && (isForced || (isTTY && !isDumb));
  let outputFault: string | undefined;
  const canAsk = stdin.isTTY && stderr.isTTY;
  let spinning: NodeJS.Timeout | undefined;

  function clear(): void {
    if (spinning === undefined) return;
    clearInterval(spinning);
    spinning = undefined;
    note(CLEAR_LINE);
  }

  /** What cannot be said changes nothing. */
  function note(text: string): void {
    writeWhole(stderr.fd, text);
  }

  async function readInput(): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of stdin) chunks.push(Buffer.from(chunk as Buffer));
    return decodeText(Buffer.concat(chunks));
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
    print: (text) => void (outputFault ??= writeWhole(stdout.fd, text)),
    get outputFault() {
      return outputFault;
    },
    outputLoss: () => outputFault ?? lossAt(stdout.fd),
    note: (line) => note(`${line}\n`),
    paint: createPaint(hasColor(stdout)),
    paintNote: createPaint(hasColor(stderr)),
    get width() {
      const width = stdout.isTTY ? stdout.columns?.() : undefined;
      return width === 0 ? undefined : width;
    },
    isWatched: stderr.isTTY,
    canAsk,
    hasInput: !stdin.isTTY,
    readInput,
    async ask(question) {
      note(`${question} [y/N] `);
      return /^y(es)?$/i.test((await readLine()).trim());
    },
    async during(label, work) {
      if (!stderr.isTTY || isDumb) return work();
      let frame = 0;
      const draw = (): void => {
        const mark = FRAMES[frame++ % FRAMES.length] ?? "";
        note(`${CLEAR_LINE}${mark} ${label}`);
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
