/** Real proxies with the configurations of deploy/gateway, for other addresses. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePorts } from "@daykey/service/test/free-ports";
import { machineTool } from "@daykey/service/test/machine-tool";

const DEPLOY = fileURLToPath(new URL("../../../deploy/gateway/", import.meta.url));

export interface Proxy {
  port: number;
  stop(): Promise<void>;
}

/** Where the proxy finds the others. */
export interface Around {
  /** The gateway's listener. */
  gateway: number;
  /** The port of Envoy's door over gRPC. */
  grpc: number;
  service: number;
}

/** Until it says anything but 404, which is what Traefik says before it has read its routes. */
async function untilListening(port: number, child: { exitCode: number | null }): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error("the proxy ended");
    const answers = await fetch(`http://127.0.0.1:${port}/`).then(
      ({ status }) => status !== 404,
      () => false,
    );
    if (answers) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function readdressed(text: string, { gateway, grpc, service }: Around, port: number): string {
  return text
    .replaceAll(/127\.0\.0\.1:6000\b/g, `127.0.0.1:${gateway}`)
    .replaceAll(/port_value: 6000\b/g, `port_value: ${gateway}`)
    .replaceAll(/port_value: 6002\b/g, `port_value: ${grpc}`)
    .replaceAll(/127\.0\.0\.1:9000\b/g, `127.0.0.1:${service}`)
    .replaceAll(/port_value: 9000\b/g, `port_value: ${service}`)
    .replaceAll("address: 0.0.0.0, port_value: 8080", `address: 127.0.0.1, port_value: ${port}`)
    .replaceAll("listen 8080", `listen 127.0.0.1:${port}`)
    .replaceAll(/^:8080/gm, `http://127.0.0.1:${port}, http://:${port}`);
}

type Prepare = (
  folder: string,
  around: Around,
  port: number,
  change: (text: string) => string,
) => Promise<string[]>;

async function start(
  program: string,
  prepare: Prepare,
  around: Around,
  change: (text: string) => string,
): Promise<Proxy> {
  const folder = await mkdtemp(join(tmpdir(), "daykey-proxy-"));
  const [port = 0] = await freePorts(1);
  const args = await prepare(folder, around, port, change);
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
    stdio: ["ignore", "ignore", process.env["DAYKEY_TEST_PROXY_LOG"] ? "inherit" : "ignore"],
  });
  await untilListening(port, child);
  return {
    port,
    async stop() {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

const copied =
  (file: string, args: (path: string) => string[]): Prepare =>
  async (folder, around, port, change) => {
    const path = join(folder, file);
    const text = readdressed(await readFile(join(DEPLOY, file), "utf8"), around, port);
    await writeFile(path, change(text));
    return args(path);
  };

const PREPARE: Readonly<Record<ProxyName, Prepare>> = {
  async nginx(folder, around, port, change) {
    await cp(join(DEPLOY, "nginx"), folder, { recursive: true });
    await mkdir(join(folder, "temp"));
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((name) => `${name}_temp_path ${folder}/temp/${name};`)
      .join(" ");
    const text = readdressed(await readFile(join(folder, "nginx.conf"), "utf8"), around, port)
      .replace("http {", `http { access_log off; ${temporary}`)
      .replace("events {}", "events { worker_connections 256; }");
    const isRoot = process.getuid?.() === 0 ? "user root;" : "";
    const head = `daemon off; master_process off; pid ${folder}/pid; error_log stderr error; ${isRoot}\n`;
    await writeFile(join(folder, "nginx.conf"), head + change(text));
    return ["-p", folder, "-c", join(folder, "nginx.conf")];
  },
  caddy: copied("Caddyfile", (path) => ["run", "--config", path, "--adapter", "caddyfile"]),
  async traefik(folder, around, port, change) {
    const prepare = copied("traefik-dynamic.yaml", (file) => ["", file]);
    const [, path = ""] = await prepare(folder, around, port, change);
    return [
      `--entrypoints.web.address=127.0.0.1:${port}`,
      `--providers.file.filename=${path}`,
      "--global.checknewversion=false",
      "--global.sendanonymoususage=false",
      "--log.level=ERROR",
    ];
  },
  "envoy-http": copied("envoy-http.yaml", (path) => envoyArgs(path)),
  "envoy-grpc": copied("envoy-grpc.yaml", (path) => envoyArgs(path)),
};

const envoyArgs = (path: string): string[] =>
  `--log-level error --concurrency 1 --use-dynamic-base-id -c ${path}`.split(" ");

export const PROXIES = ["nginx", "caddy", "traefik", "envoy-http", "envoy-grpc"] as const;
export type ProxyName = (typeof PROXIES)[number];

/** Its program here, or undefined. Traefik and Envoy are in no package of Debian's: put them on the path. */
export function proxyProgram(name: ProxyName): string | undefined {
  return machineTool(name.split("-")[0] ?? name);
}

/** @param change of the configuration, for a test of what an operator adds */
export function startProxy(
  name: ProxyName,
  around: Around,
  change: (text: string) => string = (text) => text,
): Promise<Proxy> {
  return start(proxyProgram(name) ?? "", PREPARE[name], around, change);
}
