import { expect, test } from "vitest";
import { platformWith } from "./platform.ts";

const { wait } = platformWith();

test("waiting ends after its time", async () => {
  await expect(wait(0.001, new AbortController().signal)).resolves.toBeUndefined();
});

test("waiting ends with the signal's reason, aborted before or meanwhile", async () => {
  await expect(wait(60, AbortSignal.abort(new Error("over")))).rejects.toThrow("over");
  const controller = new AbortController();
  const waiting = wait(60, controller.signal);
  controller.abort(new Error("over"));
  await expect(waiting).rejects.toThrow("over");
});

test("a given fetch is called as a plain function, as some runtimes demand", async () => {
  const seen: unknown[] = [];
  const given = {
    async fetch(this: unknown): Promise<Response> {
      seen.push(this);
      return new Response();
    },
  };
  await platformWith(given).fetch("https://auth.example.com");
  expect(seen).toEqual([undefined]);
});
