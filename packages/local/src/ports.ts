import { once } from "node:events";
import { createServer } from "node:net";
import { type LocalConfig, PORT_SETTINGS } from "./config.ts";
import { LocalError } from "./local-error.ts";

/**
 * Takes each port for a moment, before anything is started.
 * @throws {LocalError} naming the setting of the first that cannot be had
 */
export async function requirePorts(ports: LocalConfig["ports"]): Promise<void> {
  for (const setting of PORT_SETTINGS) {
    const server = createServer();
    try {
      server.listen(ports[setting], "127.0.0.1");
      await once(server, "listening");
    } catch (error) {
      throw portError(setting, ports[setting], error as NodeJS.ErrnoException);
    }
    server.close();
    await once(server, "close");
  }
}

function portError(setting: string, port: number, cause: NodeJS.ErrnoException): LocalError {
  const reason = cause.code === "EADDRINUSE" ? "is in use" : `cannot be had (${cause.code})`;
  const hint =
    process.platform === "darwin" && port === 5000 ? " (on macOS by AirPlay Receiver)" : "";
  return new LocalError(`Port ${port} ${reason}${hint}; set ${setting} to another one.`, { cause });
}
