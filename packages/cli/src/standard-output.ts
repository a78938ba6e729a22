/**
 * Writing to a descriptor until all of it is written, or it is known that it cannot be. Node's own streams
 * lose what a full disk takes half of, and tell of the rest when the program has ended well.
 */
import { fstatSync, statSync, writeSync } from "node:fs";
import { codeOf } from "./private-file.ts";

const RETRY_MILLISECONDS = 5;

/** What the system says when it cannot be written, such as `ENOSPC`; undefined when it was. */
export function writeWhole(descriptor: number, text: string): string | undefined {
  const bytes = Buffer.from(text);
  let offset = 0;
  while (offset < bytes.length) {
    try {
      offset += writeSync(descriptor, bytes, offset);
    } catch (error) {
      const code = codeOf(error);
      // A pipe whose reader is slow, where whoever started this made it non-blocking.
      if (code !== "EAGAIN") return code;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MILLISECONDS);
    }
  }
  return undefined;
}

/**
 * Why what is written there would be lost, as far as it can be known before: a device that takes
 * nothing, or `/dev/null`, which Node also puts in place of a closed descriptor.
 */
export function lossAt(descriptor: number): string | undefined {
  try {
    const { rdev, mode } = fstatSync(descriptor);
    const isDevice = (mode & 0o170000) === 0o020000;
    if (isDevice && rdev === statSync("/dev/null").rdev) return "/dev/null";
    writeSync(descriptor, Buffer.alloc(0), 0, 0);
    return undefined;
  } catch (error) {
    const code = codeOf(error);
    return code === "EAGAIN" ? undefined : code;
  }
}
