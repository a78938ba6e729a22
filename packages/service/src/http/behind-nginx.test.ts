/** A listener behind a real nginx that keeps its connections: nginx, nearer to the client, closes first. */
import { spawn } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, describe, expect, test } from "vitest";

import { type AppServer, startAppServer } from "../../test/app-server.ts";
import { freePorts } from "../../test/free-ports.ts";
import { machineTool } from "../../test/machine-tool.ts";

const program = machineTool("nginx");

/** As small as nginx takes them, so that a test sees an idle connection end. */
const NGINX_IDLE_SECONDS = 1;

async function startNginx(upstreamPort: number) {
  const folder = await mkdtemp(join(tmpdir(), "daykey-nginx-"));
  const [port = 0] = await freePorts(1);
  await mkdir(join(folder, "temp"));
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${folder}/temp/${name};`)
    .join(" ");
  await writeFile(
    join(folder, "nginx.conf"),
    `daemon off; pid ${folder}/pid; error_log stderr crit;
${process.getuid?.() === 0 ? "user root;" : ""}
events { worker_connections 256; }
http {
  access_log off; ${temporary}
  upstream server {
    server 127.0.0.1:${upstreamPort};
    keepalive 64;
    keepalive_timeout ${NGINX_IDLE_SECONDS}s;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://server;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_next_upstream off;
    }
  }
}
`,
  );
  const child = spawn(program ?? "", ["-p", folder, "-c", join(folder, "nginx.conf")], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const url = `http://127.0.0.1:${port}`;
  const answers = () =>
    fetch(`${url}/livez`).then(
      ({ status }) => status,
      () => 0,
    );
  await expect.poll(answers).toBe(200);
  return {
    url,
    async stop() {
      child.kill("SIGTERM");
      if (child.exitCode === null) await once(child, "exit");
      await rm(folder, { recursive: true });
    },
  };
}

let server: AppServer;
let nginx: Awaited<ReturnType<typeof startNginx>>;
/** The server's connections: whether the other side ended one before the server did. */
let connections: Map<Socket, "open" | "ended by nginx" | "closed by the server">;

function see(message: unknown): void {
  const { socket } = message as { socket: Socket };
  if (socket.localPort !== server.port) return;
  connections.set(socket, "open");
  socket.once("end", () => connections.set(socket, "ended by nginx"));
  socket.once("close", () => {
    if (connections.get(socket) === "open") connections.set(socket, "closed by the server");
  });
}

afterEach(async () => {
  unsubscribe("net.server.socket", see);
  await nginx.stop();
  await server.stop();
});

describe.skipIf(program === undefined)("behind nginx", () => {
  test("POSTs share connections, which nginx closes before the server does", async () => {
    server = await startAppServer({ limits: { idleSeconds: 60 } });
    connections = new Map();
    subscribe("net.server.socket", see);
    nginx = await startNginx(server.port);
    const post = async (): Promise<number> => {
      const answer = await fetch(`${nginx.url}/form`, {
        method: "POST",
        body: new URLSearchParams({ a: "b" }),
        headers: { connection: "close" },
      });
      await answer.body?.cancel();
      return answer.status;
    };
    const statuses = new Set<number>();
    for (let count = 0; count < 20; count += 1) statuses.add(await post());
    // Far fewer than requests: nginx keeps them.
    expect(connections.size).toBeLessThan(10);
    for (let round = 0; round < 2; round += 1) {
      for (const status of await Promise.all(Array.from({ length: 20 }, post))) {
        statuses.add(status);
      }
      const states = () => new Set(connections.values());
      await expect.poll(states).toEqual(new Set(["ended by nginx"]));
    }
    expect(statuses).toEqual(new Set([200]));
  });
});
