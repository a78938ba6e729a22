import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Outside the ports that the system gives to connections (from 32,768 on): one of those may be taken
 * between the look at it and the start of the program that is to have it. Files that run side by side
 * have ranges of their own.
 */
const SPAN = 1000;
const FIRST = 10_000 + (Number(process.env["VITEST_POOL_ID"] ?? 0) % 20) * SPAN;
let next = process.pid;

/** Ports of this machine that nobody has, for programs that cannot choose one themselves. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = FIRST + (next++ % SPAN);
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const listening = once(server, "listening").then(
    () => true,
    () => false,
  );
  server.listen(port, "127.0.0.1");
  if (!(await listening)) return false;
  await once(server.close(), "close");
  return true;
}
