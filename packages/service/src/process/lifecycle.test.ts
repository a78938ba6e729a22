import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

import { expect, test } from "vitest";

import { PROBLEM_FORMAT } from "../http/errors.ts";
import { createTestLog } from "../../test/log.ts";
import { createTrustedProxies } from "../http/address.ts";
import { createApp } from "../http/app.ts";
import { createHealth } from "./health.ts";
import { ListenError, startListeners } from "./lifecycle.ts";

function options(ports: { public: number; private: number }) {
  const { log } = createTestLog();
  const trustedProxies = createTrustedProxies([]);
  const app = createApp({ log, trustedProxies, errorFormat: PROBLEM_FORMAT, routers: [] });
  const host = "127.0.0.1";
  return {
    public: { app, host, port: ports.public, setting: "PORT" },
    private: { app, host, port: ports.private, setting: "PRIVATE_PORT" },
    health: createHealth(),
    log,
    trustedProxies,
  };
}

async function takePort() {
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  return { port: (holder.address() as { port: number }).port, release: () => holder.close() };
}

test("a port in use is told in one sentence with its setting, and the other port is let go", async () => {
  const taken = await takePort();
  const free = await takePort();
  free.release();
  const sentence = (setting: string) =>
    new ListenError(
      { ...options({ public: 0, private: 0 }).public, port: taken.port, setting },
      Object.assign(new Error(), { code: "EADDRINUSE" }),
    ).message;
  await expect(startListeners(options({ public: taken.port, private: 0 }))).rejects.toThrow(
    `Port ${taken.port} of 127.0.0.1 is in use by another process. Set PORT to another port.`,
  );
  await expect(startListeners(options({ public: free.port, private: taken.port }))).rejects.toThrow(
    sentence("PRIVATE_PORT"),
  );
  const listeners = await startListeners(options({ public: free.port, private: 0 }));
  await listeners.stop();
  taken.release();
});

test("stop turns readiness off before anything else", async () => {
  const given = options({ public: 0, private: 0 });
  const listeners = await startListeners(given);
  const stopped = listeners.stop();
  expect(given.health.stopping.aborted).toBe(true);
  await stopped;
});

const SERVER = fileURLToPath(new URL("../../test/server-process.ts", import.meta.url));

/** A server process that has said it listens, with all it will have logged and its exit code. */
async function startProcess(...args: string[]) {
  const child = spawn(process.execPath, [SERVER, ...args], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  let output = "";
  const ended = [child.stdout, child.stderr].map(async (stream) => {
    for await (const chunk of stream ?? []) output += String(chunk);
  });
  // Not "close", which never comes after `disconnect`.
  const exited = once(child, "exit") as Promise<[code: number | null]>;
  const [port] = (await once(child, "message")) as [number];
  return {
    child,
    port,
    output: () => output,
    async end() {
      const [code] = await exited;
      await Promise.all(ended);
      return { code, output };
    },
  };
}

const messages = (output: string) =>
  output
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { msg: string }).msg);

test.each<[string, (child: ChildProcess) => void]>([
  ["SIGTERM", (child) => child.kill("SIGTERM")],
  ["SIGINT", (child) => child.kill("SIGINT")],
  ["the parent's end", (child) => child.disconnect()],
])("%s drains the process, which ends with 0", async (_, tell) => {
  const { child, end } = await startProcess();
  tell(child);
  const { code, output } = await end();
  expect([code, ...messages(output)]).toEqual([0, "listening", "stopping", "stopped"]);
});

test("signals while it drains change nothing, and its request is answered", async () => {
  const { child, port, output: soFar, end } = await startProcess();
  const answer = fetch(`http://127.0.0.1:${port}/waits`);
  await once(child, "message");
  child.kill("SIGTERM");
  await expect.poll(soFar).toContain("stopping");
  child.kill("SIGINT");
  child.kill("SIGTERM");
  child.send("finish");
  expect(await (await answer).text()).toBe("finished");
  const { code, output } = await end();
  expect(code).toBe(0);
  expect(messages(output)).toEqual(["listening", "stopping", "request", "stopped"]);
});

test.each(["throw", "reject"])("D6: after %s it drains and ends with 1", async (how) => {
  const { child, end } = await startProcess();
  child.send(how);
  const { code, output } = await end();
  expect(code).toBe(1);
  expect(messages(output)).toEqual(["listening", "uncaught error", "stopping", "stopped"]);
  expect(output).not.toContain("canary");
});

test("a stop that hangs is left", async () => {
  const { child, end } = await startProcess("hangs-at-stop");
  child.kill("SIGTERM");
  const { code, output } = await end();
  expect(code).toBe(1);
  expect(messages(output)).toEqual(["listening", "stopping", "stopping took too long"]);
});

test("D6: an error while it drains still ends it with 1", async () => {
  const { child, end } = await startProcess("fails-to-stop");
  child.kill("SIGTERM");
  const { code, output } = await end();
  expect(code).toBe(1);
  expect(messages(output)).toEqual(["listening", "stopping", "stopping failed", "stopped"]);
});
