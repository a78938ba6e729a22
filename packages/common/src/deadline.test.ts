import { expect, test, vi } from "vitest";
import { DeadlinePassed, withDeadline } from "./deadline.ts";

const never = (): Promise<never> => new Promise(() => {});

test("what comes in time is given, what fails fails", async () => {
  expect(await withDeadline(async () => 7, { seconds: 60 })).toBe(7);
  const failing = withDeadline(async () => Promise.reject(new TypeError("x")), { seconds: 60 });
  await expect(failing).rejects.toThrow(TypeError);
});

test("work that never ends and hears no signal is left when the time is over", async () => {
  vi.useFakeTimers();
  let heard: AbortSignal | undefined;
  const waiting = withDeadline(
    (signal) => {
      heard = signal;
      return never();
    },
    { seconds: 3 },
  );
  const outcome = waiting.catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(2999);
  expect(heard?.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(await outcome).toBeInstanceOf(DeadlinePassed);
  expect(heard?.reason).toBeInstanceOf(DeadlinePassed);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

test("an aborted signal ends it with its reason, before or during the work", async () => {
  const reason = new Error("stopped");
  const work = vi.fn<() => Promise<never>>(never);
  const signal = AbortSignal.abort(reason);
  await expect(withDeadline(work, { seconds: 60, signal })).rejects.toBe(reason);
  expect(work).not.toHaveBeenCalled();
  const controller = new AbortController();
  const waiting = withDeadline(work, { seconds: 60, signal: controller.signal });
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
});

test("no timer is left behind, and an error of one's own can be told", async () => {
  vi.useFakeTimers();
  await withDeadline(async () => 1, { seconds: 60 });
  await vi.advanceTimersByTimeAsync(0);
  expect(vi.getTimerCount()).toBe(0);
  const waiting = withDeadline(never, { seconds: 1, late: () => new RangeError("late") });
  const outcome = waiting.catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(1000);
  expect(await outcome).toBeInstanceOf(RangeError);
  vi.useRealTimers();
});
