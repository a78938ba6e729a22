import { Readable } from "node:stream";

import { expect, test, vi } from "vitest";

import { readWithin } from "./read-within.ts";

const PIECES = ["ab", "", "cde"].map((text) => new TextEncoder().encode(text));

const SOURCES = {
  "a web stream": () => ReadableStream.from(PIECES),
  "a stream of Node's": () => Readable.from(PIECES),
  "an iterable": () => ({
    async *[Symbol.asyncIterator]() {
      yield* await Promise.resolve(PIECES);
    },
  }),
};

test.each(Object.entries(SOURCES))("%s is read whole, or not at all", async (_, source) => {
  expect(new TextDecoder().decode(await readWithin(source(), 5))).toBe("abcde");
  expect(await readWithin(source(), 4)).toBe(undefined);
});

test("no body is an empty one", async () => {
  expect(await readWithin(null, 0)).toEqual(new Uint8Array());
});

test("the rest of a body that is too large is let go, and not waited for", async () => {
  const cancel = vi.fn<() => Promise<never>>(() => Promise.withResolvers<never>().promise);
  const endless = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(10)),
    cancel,
  });
  expect(await readWithin(endless, 25)).toBe(undefined);
  expect(cancel).toHaveBeenCalledOnce();
  const node = Readable.from(PIECES);
  await readWithin(node, 1);
  await vi.waitUntil(() => node.destroyed);
});

test("a source that fails, and a signal, end it", async () => {
  const broken = new ReadableStream({ pull: () => Promise.reject(new Error("cut")) });
  await expect(readWithin(broken, 5)).rejects.toThrow("cut");
  const signal = AbortSignal.abort(new Error("late"));
  await expect(readWithin(ReadableStream.from(PIECES), 5, signal)).rejects.toThrow("late");
});
