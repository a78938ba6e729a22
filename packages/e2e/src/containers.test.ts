/** What Dockerfile and docker-compose.yml name is there, and what the house asks of a container holds. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describeConfig as describeAuthServer } from "@daykey/auth-server/config";
import { describeConfig as describeGateway } from "@daykey/gateway/config";
import { describeConfig as describeSetup } from "@daykey/local/containers/config";
import { describeConfig as describeResourceServer } from "@daykey/resource-server/config";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { ROOT } from "../test/stack.ts";

interface Service {
  image: string;
  build?: { context: string; target: string };
  command?: string[];
  entrypoint?: string[];
  environment?: Record<string, string>;
  volumes?: string[];
  ports?: string[];
  networks?: string[];
  network_mode?: string;
  depends_on?: Record<string, { condition: string }> | string[];
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  healthcheck?: object;
  mem_limit?: string;
  pids_limit?: number;
  scale?: number;
  restart?: string;
  profiles?: string[];
}

interface ComposeFile {
  services: Record<string, Service>;
  networks: { front: { ipam: { config: { subnet: string }[] } } };
  volumes: Record<string, null>;
}

const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");

const COMPOSE = read("docker-compose.yml");
const DOCKERFILE = read("Dockerfile");
const { services, networks, volumes } = parse(COMPOSE, { merge: true }) as ComposeFile;
const each = Object.entries(services);

/** `${NAME:-value}` is its value. */
const plain = (text: string): string => text.replaceAll(/\$\{\w+:-([^}]*)\}/g, "$1");

/** The stages of the Dockerfile, by name. */
const stages = new Map(
  DOCKERFILE.split(/^FROM /m)
    .slice(1)
    .map((text) => {
      const [, base = "", name = ""] = /^(\S+) AS (\S+)\n/.exec(text) ?? [];
      return [name, { base, text }];
    }),
);

/** A stage with all that it is from. */
function wholeStage(name: string): string {
  const stage = stages.get(name);
  return stage ? wholeStage(stage.base) + stage.text : "";
}

const mountsOf = ({ volumes: mounts = [] }: Service): (readonly [string, string])[] =>
  mounts.map((mount) => {
    const [source = "", target = ""] = plain(mount).split(":");
    return [source, target] as const;
  });

test("the file is read whole", () => {
  const names =
    "init postgres migrate auth-server resource-server proxy cli demo gateway nginx service prometheus grafana";
  expect(Object.keys(services)).toEqual(names.split(" "));
  expect([...stages.keys()]).toEqual(
    "manifests libraries runtime cli server auth-server resource-server gateway setup".split(" "),
  );
});

test("every file that the Dockerfile copies or runs is there", () => {
  const copied = [...DOCKERFILE.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, files = ""]) =>
    files.split(" "),
  );
  const run = [...DOCKERFILE.matchAll(/"(?:\/daykey\/)?(packages\/[^"]+\.(?:ts|mjs))"/g)].map(
    ([, file = ""]) => file,
  );
  expect(run.length).toBe(13);
  expect([...copied, ...run].filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
});

/** The packages of this repository that one needs, those of those too. */
function neededBy(name: string): string[] {
  const { dependencies = {} } = JSON.parse(read(`packages/${name}/package.json`)) as {
    dependencies?: Record<string, string>;
  };
  const own = Object.keys(dependencies).flatMap((one) => /^@daykey\/(.+)$/.exec(one)?.[1] ?? []);
  return [...new Set([...own, ...own.flatMap(neededBy)])];
}

test("an image holds its program's modules compiled, for each user that a container runs as", () => {
  for (const name of ["auth-server", "resource-server", "gateway", "cli"]) {
    const { text = "" } = stages.get(name) ?? {};
    const [, program, cache] =
      /"packages\/common\/bin\/warm.mjs", "(\S+)", "(\S+)"/.exec(text) ?? [];
    expect([program, cache], name).toEqual([
      expect.stringContaining(`packages/${name}/`),
      `packages/${name}/node_modules/.cache`,
    ]);
    const entry = name === "cli" ? "packages/cli/bin/daykey.mjs" : program;
    expect(text).toContain(`${entry}"]`);
    expect(read(entry ?? "")).toContain('new URL("../node_modules/.cache/", import.meta.url)');
  }
  const [, users = ""] = /USERS = \[(.*)\]/.exec(read("packages/common/bin/warm.mjs")) ?? [];
  const manifests = ["auth-server", "resource-server", "migrate", "gateway/gateway"].map((file) =>
    read(`deploy/kubernetes/${file}.yaml`),
  );
  const those = `USER 1000\n${manifests.join("\n")}`.matchAll(/(?:USER|runAsUser:) (\d+)/g);
  expect(users.split(", ")).toEqual([...new Set([...those].map(([, user]) => user))]);
});

test("an image has the packages that its program imports, and no other server's", () => {
  for (const name of ["auth-server", "resource-server", "gateway", "cli"]) {
    const copied = [...wholeStage(name).matchAll(/^COPY packages\/(\S+)/gm)].map(
      ([, folder = ""]) => folder,
    );
    expect(copied.toSorted(), name).toEqual([...neededBy(name), name].toSorted());
  }
});

test("images are built from what is pinned, run as nobody in particular, and need no shell", () => {
  expect(DOCKERFILE).not.toMatch(/^# *syntax=/m);
  expect(DOCKERFILE).toContain(/pnpm@[\d.]+/.exec(read("packages/local/bootstrap.mjs"))?.[0]);
  expect(DOCKERFILE).toContain("--frozen-lockfile");
  for (const name of ["auth-server", "resource-server", "gateway", "cli", "setup"]) {
    const stage = wholeStage(name);
    expect(stage).toMatch(/^USER 1000:1000$/m);
    expect(stage).toMatch(/^ENTRYPOINT \[/m);
    expect(stage).not.toMatch(/^(?:RUN|CMD|ENTRYPOINT|HEALTHCHECK.* CMD) (?!\[)/m);
  }
});

test("every file, volume and image target that the compose file names is there", () => {
  const isThere = (source: string): boolean =>
    source.startsWith("./") ? existsSync(join(ROOT, source)) : Object.hasOwn(volumes, source);
  const missing = each.flatMap(([name, service]) => [
    ...mountsOf(service).flatMap(([source]) => (isThere(source) ? [] : [`${name} ${source}`])),
    ...(service.build && !stages.has(service.build.target) ? [`${name} target`] : []),
  ]);
  expect(missing).toEqual([]);
});

test("every setting is one of the program's", () => {
  const programs: [RegExp, string][] = [
    [/-auth-server:/, describeAuthServer()],
    [/-resource-server:/, describeResourceServer()],
    [/-gateway:/, describeGateway()],
    [/-setup:/, describeSetup()],
  ];
  for (const [name, { image, environment = {} }] of each) {
    const help = programs.find(([pattern]) => pattern.test(image))?.[1];
    if (help === undefined) continue;
    const settings = [...help.matchAll(/^ +([A-Z_]+)(\[_FILE\])?/gm)].flatMap(
      ([, setting = "", file]) => [setting, ...(file ? [`${setting}_FILE`] : [])],
    );
    // The demo hands the rest to the command line.
    const ours = Object.keys(environment).filter(
      (key) => name !== "demo" || !/DAYKEY|NODE/.test(key),
    );
    expect(
      ours.filter((key) => !settings.includes(key)),
      name,
    ).toEqual([]);
  }
});

test("the command line's settings are those of its documents", () => {
  const known = read("packages/cli/src/program.ts") + read("packages/cli/README.md");
  const given = Object.keys(services["cli"]?.environment ?? {});
  expect(given.filter((key) => !known.includes(key))).toEqual(["NODE_EXTRA_CA_CERTS"]);
});

test("no secret stands in it: each is a file, in a volume that its service mounts", () => {
  const settings = each.flatMap(([name, service]) =>
    Object.entries(service.environment ?? {}).map(([key, value]) => ({
      what: `${name} ${key}`,
      isSecret: /PASSWORD|SECRET|CREDENTIAL|MASTER_KEY|DATABASE_URL/.test(key),
      isFile: value.startsWith("/"),
      isMounted: mountsOf(service).some(([, target]) => value.startsWith(`${target}/`)),
    })),
  );
  expect(settings.filter(({ isSecret, isFile }) => isSecret && !isFile)).toEqual([]);
  expect(settings.filter(({ isFile, isMounted }) => isFile && !isMounted)).toEqual([]);
  expect(settings.filter(({ isSecret }) => isSecret).length).toBeGreaterThan(5);
  expect(COMPOSE).not.toMatch(/[0-9a-f]{32}|dks_|dkr1|postgresql:/);
});

test("every folder of secrets is made with its owner, and none but init and migrate writes servers' secrets", () => {
  const made = /mkdir -p ([^]+?)\n\n/.exec(DOCKERFILE)?.[1] ?? "";
  const folders = [...made.matchAll(/\/mounts\/(\S+)/g)].map(
    ([, folder]) => `/run/daykey/${folder}`,
  );
  const written = mountsOf(services["init"] ?? { image: "" }).map(([, target]) => target);
  expect(written.toSorted()).toEqual(folders.toSorted());
  const writers = each.flatMap(([name, { volumes: mounts = [] }]) =>
    mounts
      .filter((mount) => plain(mount).includes("/run/daykey/") && !mount.endsWith(":ro"))
      .map((mount) => `${name} ${plain(mount).split(":")[0]}`),
  );
  expect(writers.filter((writer) => !writer.startsWith("init "))).toEqual([
    "migrate resource-server-secrets",
    "migrate operator-secrets",
    "cli operator-secrets",
    "demo operator-secrets",
  ]);
});

test.each(each)("%s: read-only, without capabilities or new privileges", (name, service) => {
  expect(service).toMatchObject({
    read_only: true,
    cap_drop: ["ALL"],
    security_opt: ["no-new-privileges:true"],
  });
  const isOnce = ["init", "migrate", "cli", "demo"].includes(name);
  expect(service.restart ?? "no").toBe(isOnce ? "no" : "unless-stopped");
});

test("the public addresses are published, and what is for the operator on this machine alone", () => {
  const published = each.flatMap(([name, { ports = [] }]) =>
    ports.map((port) => `${name} ${plain(port)}`),
  );
  expect(published).toEqual([
    "proxy 4443:4443",
    "proxy 5443:5443",
    "nginx 127.0.0.1:6443:6443",
    "prometheus 127.0.0.1:9090:9090",
    "grafana 127.0.0.1:3000:3000",
  ]);
  expect(read("deploy/haproxy/haproxy.cfg")).not.toMatch(/400[1-9]|500[1-9]|admin|stats/);
});

test("H3: the servers trust the proxy's network, and the proxy says who asked, whatever was said before", () => {
  const [front] = networks.front.ipam.config;
  for (const name of ["auth-server", "resource-server"]) {
    expect(services[name]?.environment?.["TRUSTED_PROXIES"]).toBe(front?.subnet);
  }
  const proxy = read("deploy/haproxy/haproxy.cfg");
  expect(proxy).toMatch(/^ +http-request set-header X-Forwarded-For %\[src\]$/m);
});

test("what the machine has once is named where a second installation is described", () => {
  const [, text = ""] =
    /second installation[^]*?```sh\n([^]*?)```/.exec(read("docs/how-to/containers.md")) ?? [];
  const named = text.split("\n").map((line) => line.split("=")[0]);
  const once = [
    ...COMPOSE.matchAll(/(?:^ *- |ports: \[")[^/\n]*?\$\{(\w+_PORT):-|subnet: "\$\{(\w+):-/gm),
  ];
  const names = once.map(([, port, subnet]) => port ?? subnet);
  expect(names.length).toBe(7);
  expect(names.filter((name) => !named.includes(name))).toEqual([]);
});

test("an image is named by project and version, and every image but that of a profile's own is built by a bare `build`", () => {
  const { version } = JSON.parse(read("package.json")) as { version: string };
  for (const [name, { image, build, profiles = [] }] of each) {
    if (!build) continue;
    expect(image, name).toBe(
      `\${COMPOSE_PROJECT_NAME:-daykey}-${build.target}:\${DAYKEY_VERSION:-${version}}`,
    );
    const isBuilt =
      profiles.includes(build.target) ||
      each.some(([, other]) => other.image === image && (other.profiles ?? []).length === 0);
    expect(isBuilt, `${name} ${profiles.join()}`).toBe(true);
  }
});

test("every service has its bounds of memory and processes", () => {
  for (const [name, { mem_limit, pids_limit }] of each) {
    expect(mem_limit, name).toMatch(/^\d+[mg]$/);
    expect(pids_limit, name).toBeGreaterThan(0);
  }
});

test("the database takes the connections of as many servers as the proxy has room for", () => {
  const max = Number(
    /max_connections=(\d+)/.exec(services["postgres"]?.command?.join() ?? "")?.[1],
  );
  const pool = (help: string): number => Number(/DATABASE_POOL.*?(\d+)/.exec(help)?.[1]);
  // One more of an auth-server listens.
  const needed = 20 * (pool(describeAuthServer()) + 1) + 20 * pool(describeResourceServer());
  expect(needed).toBeGreaterThan(100);
  expect(max).toBeGreaterThanOrEqual(needed + 20);
});

test("what a person runs, the command line, waits for nothing that starts", () => {
  expect(services["cli"]).toMatchObject({ network_mode: "service:proxy", scale: 0 });
  for (const name of ["cli", "proxy"]) expect(services[name]?.depends_on, name).toBe(undefined);
});

test("each wait is longer than what it waits for: statement, request, server, proxy", () => {
  const proxy = read("deploy/haproxy/haproxy.cfg");
  const seconds = (text: string, pattern: RegExp): number => Number(pattern.exec(text)?.[1]);
  const statement = seconds(
    read("packages/service/src/database/database.ts"),
    /silenceSeconds: (\d+)/,
  );
  const check = seconds(
    read("packages/resource-server/src/primes/prime-pool.ts"),
    /timeLimitSeconds = (\d+)/,
  );
  const server = seconds(proxy, /timeout server (\d+)s/);
  expect(statement).toBeLessThan(check);
  expect(check + statement).toBeLessThan(server);
  // That of other proxies: nginx waits 60 s, Google's load balancer 30 s.
  expect(check).toBeLessThan(30);
});

test("a service starts when what it needs is there", () => {
  const conditions = each.flatMap(([name, { depends_on: needs = {} }]) =>
    Array.isArray(needs)
      ? []
      : Object.entries(needs).map(([needed, { condition }]) => `${name} ${needed} ${condition}`),
  );
  expect(conditions).toEqual([
    "postgres init service_completed_successfully",
    "migrate postgres service_healthy",
    "auth-server migrate service_completed_successfully",
    "resource-server auth-server service_healthy",
    "demo proxy service_started",
    "demo resource-server service_healthy",
    "gateway auth-server service_healthy",
    "nginx gateway service_healthy",
    "nginx service service_started",
    "grafana init service_completed_successfully",
  ]);
});
