/** The configurations of deploy/mtls in real proxies: they say which certificate a client proved, and nobody else. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
} from "node:http";
import { request } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import {
  createAuthority,
  selfSigned,
  SERVER_AUTH,
  type TestCertificate,
} from "@daykey/service/test/certificates";
import { freePorts } from "@daykey/service/test/free-ports";
import { machineTool } from "@daykey/service/test/machine-tool";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "../test/stack.ts";

const PROXIES: Readonly<Record<string, readonly [file: string, args: (file: string) => string[]]>> =
  {
    haproxy: ["haproxy.cfg", (file) => ["-db", "-f", file]],
    nginx: ["nginx.conf", (file) => ["-c", file]],
    caddy: ["Caddyfile", (file) => ["run", "--config", file, "--adapter", "caddyfile"]],
    envoy: [
      "envoy.yaml",
      (file) => `--log-level error --concurrency 1 --use-dynamic-base-id -c ${file}`.split(" "),
    ],
  };

let folder: string;
let upstream: Server;
let authority: TestCertificate;
let listed: TestCertificate;
let unknown: TestCertificate;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "daykey-mtls-"));
  const ca = await createAuthority();
  authority = ca;
  const names = [{ type: "dns", value: "localhost" } as const];
  const served = await ca.issue({ usages: [SERVER_AUTH], names });
  // A chain that proxies do not pass on.
  listed = await (await ca.issueAuthority({ subject: "CN=Between" })).issue();
  unknown = await selfSigned();
  await writeFile(join(folder, "tls.pem"), served.chain);
  await writeFile(join(folder, "tls.key"), served.key);
  await writeFile(join(folder, "server.pem"), `${served.chain}\n${served.key}`);
  upstream = createServer((req, res) => res.end(JSON.stringify(req.headersDistinct)));
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
});
afterAll(async () => {
  upstream.closeAllConnections();
  upstream.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

describe.each(Object.entries(PROXIES))("%s", (name, [file, args]) => {
  const program = machineTool(name);
  describe.skipIf(program === undefined)("with its configuration of deploy/mtls", () => {
    let port: number;
    let child: ChildProcess;

    beforeAll(async () => {
      [port = 0] = await freePorts(1);
      const text = await readFile(join(ROOT, "deploy/mtls", file), "utf8");
      const path = join(folder, file);
      await writeFile(path, readdressed(text, port));
      await mkdir(join(folder, "temp"), { recursive: true });
      child = spawn(program ?? "", args(path), {
        env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
        stdio: ["ignore", "ignore", process.env["DAYKEY_TEST_PROXY_LOG"] ? "inherit" : "ignore"],
      });
      for (;;) {
        if (child.exitCode !== null) throw new Error("the proxy ended");
        if (await ask().then(Boolean, () => false)) break;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }, 60_000);
    afterAll(async () => {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    });

    const readdressed = (text: string, at: number): string =>
      text
        .replaceAll("/etc/daykey", folder)
        .replaceAll("127.0.0.1:4000", `127.0.0.1:${(upstream.address() as AddressInfo).port}`)
        .replace("port_value: 4000", `port_value: ${(upstream.address() as AddressInfo).port}`)
        .replace("0.0.0.0, port_value: 8443", `127.0.0.1, port_value: ${at}`)
        .replace("listen 8443", `listen 127.0.0.1:${at}`)
        .replace("bind :8443", `bind 127.0.0.1:${at}`)
        .replace("https://:8443", `https://localhost:${at}`)
        .replace(
          /^events \{\}/m,
          `daemon off; master_process off; pid ${folder}/pid; error_log stderr error; ${process.getuid?.() === 0 ? "user root;" : ""}\nevents { worker_connections 64; }`,
        )
        .replace(
          /^http \{/m,
          `http { access_log off; ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((one) => `${one}_temp_path ${folder}/temp/${one};`).join(" ")}`,
        );

    /** What comes through to the server. */
    async function ask(
      certificate?: TestCertificate,
      headers: Record<string, string | string[]> = {},
    ): Promise<NodeJS.Dict<string[]>> {
      const req = request({
        port,
        host: "localhost",
        family: 4,
        ca: authority.cert,
        agent: false,
        ...(certificate && { cert: certificate.chain, key: certificate.key }),
        headers,
      }).end();
      const [res] = (await once(req, "response")) as [IncomingMessage];
      return (await json(res)) as NodeJS.Dict<string[]>;
    }

    test("M1: the server is told the certificate that the client proved, whoever issued it", async () => {
      for (const certificate of [listed, unknown]) {
        const { "client-cert": field } = await ask(certificate);
        expect(field).toEqual([certificate.field]);
      }
    });

    test("M1: nothing that a client says of itself comes through", async () => {
      const forged: IncomingHttpHeaders = {
        "client-cert": unknown.field,
        "client-cert-chain": unknown.field,
      };
      const { "client-cert": none, "client-cert-chain": chain } = await ask(
        undefined,
        forged as Record<string, string>,
      );
      expect([none, chain]).toEqual([undefined, undefined]);
      const { "client-cert": own } = await ask(listed, {
        "client-cert": [unknown.field, unknown.field],
      });
      expect(own).toEqual([listed.field]);
    });
  });
});
