/** A redis-server of the test's own on a free port, with nothing on disk unless a test wants it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "./free-ports.ts";

export interface RedisServer {
  url: string;
  /** Where it would save what it holds. */
  folder: string;
  /** Ends it at once; what it held is lost. */
  kill(): Promise<void>;
  /** Another in its place, empty. */
  restart(): Promise<void>;
  /** Stops it without ending it, and lets it go on. */
  freeze(): void;
  /** Sends commands over one connection, as an operator would, and waits until all are answered. */
  command(...commands: readonly string[]): Promise<void>;
  thaw(): void;
}

export async function startRedis(program: string): Promise<RedisServer> {
  const [port = 0] = await freePorts(1);
  const folder = await mkdtemp(join(tmpdir(), "daykey-redis-"));
  const options = `--port ${port} --bind 127.0.0.1 --save --appendonly no --dir`;

  async function start() {
    const child = spawn(program, [...options.split(" "), folder], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    for await (const text of child.stdout.setEncoding("utf8")) {
      if (String(text).includes("Ready to accept")) break;
    }
    return child;
  }

  let child = await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    folder,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
      await rm(folder, { recursive: true });
    },
    async restart() {
      await mkdir(folder, { recursive: true });
      child = await start();
    },
    async command(...commands) {
      const socket = connect(port, "127.0.0.1").resume();
      socket.write([...commands, "quit", ""].join("\r\n"));
      await once(socket, "close");
    },
    freeze: () => void child.kill("SIGSTOP"),
    thaw: () => void child.kill("SIGCONT"),
  };
}
