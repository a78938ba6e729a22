/** A PgBouncer before a PostgreSQL on TCP. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "@daykey/service/test/free-ports";
import { sleep } from "./stack.ts";

/** Set up as docs/how-to/install.md says. */
const IGNORED = "statement_timeout,lock_timeout,idle_in_transaction_session_timeout";

/**
 * @param options.port of the PostgreSQL, which trusts whoever comes
 * @param options.poolSize its connections to it
 * @returns a connection string's host and port
 */
export async function startPgBouncer({
  program,
  port,
  role,
  poolSize,
  mode = "transaction",
  more = [],
}: {
  program: string;
  port: number;
  role: string;
  poolSize: number;
  mode?: "transaction" | "session";
  /** Lines of its section of settings. */
  more?: readonly string[];
}): Promise<{ host: string; stop(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "daykey-pgbouncer-"));
  // It does not run as root, and so must read its files as another.
  await chmod(folder, 0o755);
  const [ownPort = 0] = await freePorts(1);
  const [users, settings] = [join(folder, "users"), join(folder, "settings")];
  await writeFile(users, `"${role}" ""\n`);
  await writeFile(
    settings,
    `[databases]
* = host=127.0.0.1 port=${port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${ownPort}
unix_socket_dir =
auth_type = trust
auth_file = ${users}
default_pool_size = ${poolSize}
pool_mode = ${mode}
ignore_startup_parameters = ${IGNORED}
${more.join("\n")}
`,
  );
  const asNobody = process.getuid?.() === 0 ? ["-u", "nobody"] : [];
  const child = spawn(program, [...asNobody, settings], { stdio: ["ignore", "ignore", "pipe"] });
  await untilItListens(child, ownPort);
  return {
    host: `127.0.0.1:${ownPort}`,
    async stop() {
      child.kill("SIGTERM");
      if (child.exitCode === null) await once(child, "exit");
      await rm(folder, { recursive: true });
    },
  };
}

async function untilItListens(child: ChildProcess, port: number): Promise<void> {
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (said += text));
  for (let tries = 0; tries < 200 && child.exitCode === null; tries++) {
    const socket = connect(port, "127.0.0.1");
    const isOpen = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isOpen) return;
    await sleep(25);
  }
  throw new Error(`PgBouncer does not listen:\n${said}`);
}
