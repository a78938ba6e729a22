/** The manifests in deploy/kubernetes against the schemas of Kubernetes and CloudNativePG, and against each other. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { describeConfig as describeAuthServer } from "@daykey/auth-server/config";
import { describeConfig as describeResourceServer } from "@daykey/resource-server/config";
import { expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { ROOT } from "../test/stack.ts";

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  spec?: Spec;
}

interface Spec {
  template?: Template;
  jobTemplate?: { spec: { template: Template } };
  selector?: Record<string, unknown>;
}

interface Template {
  metadata: { labels: Record<string, string> };
  spec: Pod;
}

interface Pod {
  securityContext: object;
  containers: (Record<string, unknown> & {
    name: string;
    env: { name: string; value: string }[];
  })[];
  volumes: { secret?: { secretName: string } }[];
}

const FOLDER = join(ROOT, "deploy/kubernetes");
const read = (file: string): Promise<string> => readFile(join(FOLDER, file), "utf8");
const kustomization = parse(await read("kustomization.yaml")) as { resources: string[] };
const manifests = (
  await Promise.all(
    [...kustomization.resources, "renewal/renewal.yaml"].map(async (file) =>
      parseAllDocuments(await read(file)).map((document) => document.toJS() as Manifest),
    ),
  )
).flat();
const title = ({ kind, metadata }: Manifest): string => `${kind} ${metadata.name}`;
const allPods = manifests.flatMap(({ kind, metadata, spec }) =>
  [spec?.template, spec?.jobTemplate?.spec.template].flatMap((template) =>
    template ? [{ title: `${kind} ${metadata.name}`, ...template }] : [],
  ),
);

/** Those of the two servers: the renewal's is no server, and asks no database. */
const pods = allPods.filter((pod) => pod.title !== "CronJob renewal");

/** The module that has the kind's model. */
const moduleOf = ({ apiVersion }: Manifest): string =>
  apiVersion.startsWith("postgresql.cnpg.io/")
    ? `@kubernetes-models/cloudnative-pg/${apiVersion}`
    : `kubernetes-models/${apiVersion}`;

test("the manifests are read", () => {
  expect(manifests.map(title)).toEqual([
    "Namespace daykey",
    "Cluster database",
    "Job migrate-auth-server",
    "Job migrate-resource-server",
    "Deployment auth-server",
    "Service auth-server",
    "HorizontalPodAutoscaler auth-server",
    "PodDisruptionBudget auth-server",
    "Service auth-server-private",
    "Deployment resource-server",
    "Service resource-server",
    "HorizontalPodAutoscaler resource-server",
    "PodDisruptionBudget resource-server",
    "Ingress auth-server",
    "Ingress resource-server",
    ...["deny", "names", "public", "private", "to-database", "to-auth-server", "to-key-sets"].map(
      (name) => `NetworkPolicy ${name}`,
    ),
    "NetworkPolicy database",
    ...["CronJob", "ServiceAccount", "Role", "RoleBinding"].map((kind) => `${kind} renewal`),
    "NetworkPolicy to-renew",
    "NetworkPolicy from-renewal",
  ]);
});

test.each(manifests.map((manifest) => [title(manifest), manifest] as const))(
  "%s follows its schema",
  async (_, manifest) => {
    type Model = new (data: Manifest) => { validate(): void };
    const models = (await import(moduleOf(manifest))) as Record<string, Model>;
    const Kind = models[manifest.kind];
    if (!Kind) throw new Error(`${manifest.apiVersion} has no ${manifest.kind}`);
    expect(() => new Kind(manifest).validate()).not.toThrow();
  },
);

test("no manifest has a member that its kind does not have", async () => {
  // The schemas let unknown members pass; TypeScript does not, in a literal.
  const source = manifests.map(
    (manifest, i) =>
      `import type { I${manifest.kind} as Kind${i} } from "${moduleOf(manifest)}";
export const manifest${i}: Kind${i} = ${JSON.stringify(manifest)};`,
  );
  const parent = join(ROOT, "packages/e2e/node_modules/.cache");
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, "manifests-"));
  try {
    await writeFile(join(folder, "manifests.ts"), source.join("\n"));
    await writeFile(join(folder, "package.json"), '{"type":"module"}');
    const options =
      "--ignoreConfig --noEmit --strict --skipLibCheck --module nodenext --target es2024 --types";
    const program = createRequire(join(ROOT, "package.json")).resolve("typescript/package.json");
    const tsc = join(program, "../bin/tsc");
    const args = [tsc, ...options.split(" "), "node", join(folder, "manifests.ts")];
    const { stdout } = await promisify(execFile)(process.execPath, args).catch(
      (error: unknown) => error as { stdout: string },
    );
    expect(stdout).toBe("");
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.each(allPods.map((pod) => [pod.title, pod.spec] as const))(
  "%s: nobody in particular, read-only, without capabilities",
  (_, { securityContext, containers }) => {
    expect(securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: "RuntimeDefault" },
    });
    for (const { securityContext: own } of containers) {
      expect(own).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
    }
  },
);

test("every setting is one of the server's", () => {
  const help: Record<string, string> = {
    "auth-server": describeAuthServer(),
    "resource-server": describeResourceServer(),
  };
  const isKnown = (server: string, setting: string): boolean => {
    const plain = setting.replace(/_FILE$/, "");
    const lines = (help[server] ?? "").split("\n").map((line) => line.trim().split(" ")[0]);
    return lines.includes(setting) || lines.includes(`${plain}[_FILE]`);
  };
  const unknown = pods.flatMap(({ title: name, metadata, spec }) =>
    spec.containers
      .flatMap(({ env }) => env)
      .filter((one) => !isKnown(metadata.labels["app.kubernetes.io/name"] ?? "", one.name))
      .map((one) => `${name} ${one.name}`),
  );
  expect(unknown).toEqual([]);
});

test("every secret, and every file in it, is one that README.md tells to make", async () => {
  const readme = await read("README.md");
  const secrets = pods.flatMap(({ spec }) => spec.volumes.flatMap(({ secret }) => secret ?? []));
  // That one is the operator's.
  const own = secrets.filter(({ secretName }) => secretName !== "database-ca");
  const commands = own.map(({ secretName }) => `create secret generic ${secretName} `);
  const files = pods
    .flatMap(({ spec }) => spec.containers.flatMap(({ env }) => env))
    .filter(({ value }) => value.startsWith("/secrets/"))
    .map(({ value }) => value.slice("/secrets/".length));
  expect(files.length).toBeGreaterThan(5);
  expect([...commands, ...files].filter((text) => !readme.includes(text))).toEqual([]);
});

test("what renews secrets may read and change those of its clients alone, which README.md tells to make", async () => {
  const [renewal] = allPods.filter((pod) => !pods.includes(pod));
  const env = renewal?.spec.containers.flatMap((container) => container.env) ?? [];
  const clients = env.find(({ name }) => name === "CLIENTS")?.value.split(" ");
  const role = manifests.find(({ kind }) => kind === "Role") as unknown as { rules: object[] };
  expect(role.rules).toEqual([
    { apiGroups: [""], resources: ["secrets"], resourceNames: clients, verbs: ["get", "patch"] },
  ]);
  const readme = await read("README.md");
  for (const client of clients ?? []) {
    expect(readme).toContain(`clients create ${client} `);
    expect(readme).toContain(`create secret generic ${client} --from-file=credential.json`);
  }
});

test("a caller cannot choose its address: no network of pods or nodes is believed", async () => {
  const { configMapGenerator: maps } = kustomization as unknown as {
    configMapGenerator: { literals: string[] }[];
  };
  // Documentation's network (RFC 5737): set to the ingress' own, or nobody is believed.
  expect(maps.flatMap(({ literals }) => literals)).toContain("TRUSTED_PROXIES=192.0.2.0/24");
  const set = pods.flatMap(({ spec }) => spec.containers.flatMap(({ env }) => env));
  expect(set.map(({ name }) => name)).not.toContain("TRUSTED_PROXIES");
});

test("the database is spoken to by TLS that is verified, its passwords follow their secrets, and its metrics are reached", async () => {
  const readme = await read("README.md");
  const urls = [...readme.matchAll(/postgresql:\/\/\S+/g)].map(([url]) => url);
  expect(urls.length).toBe(4);
  for (const url of urls) expect(url).toMatch(/\?\$tls"|\?sslmode=verify-full&/);
  expect(readme).toContain("cnpg.io/reload=true");
  const mounted = pods.filter(({ spec }) =>
    spec.volumes.some(({ secret }) => secret?.secretName === "database-ca"),
  );
  expect(mounted.map((pod) => pod.title)).toEqual(pods.map((pod) => pod.title));
  expect(await read("network-policies.yaml")).toMatch(/ports: \[\{ port: 9187 \}\]/);
});

test("no policy lets pods out to anywhere at once: each names whom", () => {
  const rules = manifests.flatMap(({ kind, metadata, spec }) =>
    kind === "NetworkPolicy"
      ? ((spec as { egress?: { to?: object[] }[] }).egress ?? []).map((rule) => ({
          metadata,
          rule,
        }))
      : [],
  );
  expect(rules.length).toBeGreaterThan(4);
  expect(rules.filter(({ rule }) => rule.to === undefined)).toEqual([]);
});

test("a disruption takes a part of the pods, however many there are", () => {
  const budgets = manifests.filter(({ kind }) => kind === "PodDisruptionBudget");
  for (const { spec } of budgets) expect(spec).toMatchObject({ maxUnavailable: "25%" });
});

test("the components' files are read, and choose pods that are there", async () => {
  const monitors = parseAllDocuments(await read("monitoring/pod-monitors.yaml")).map(
    (document) => document.toJS() as { spec: { selector: { matchLabels: object } } },
  );
  const chosen = monitors.map(({ spec }) =>
    pods.filter(({ metadata }) =>
      Object.entries(spec.selector.matchLabels).every(([k, v]) => metadata.labels[k] === v),
    ),
  );
  // The third is for the database, whose pods the operator makes.
  expect(chosen.map((some) => some.length)).toEqual([1, 1, 0]);
  const [store, schedule, policy] = parseAllDocuments(await read("backup/backup.yaml")).map(
    (document) => document.toJS() as Manifest,
  );
  expect([store?.kind, policy?.kind]).toEqual(["ObjectStore", "NetworkPolicy"]);
  const models = (await import(moduleOf(schedule as Manifest))) as Record<
    string,
    new (data: unknown) => { validate(): void }
  >;
  const ScheduledBackup = models["ScheduledBackup"];
  if (!ScheduledBackup) throw new Error("there is no ScheduledBackup");
  expect(() => new ScheduledBackup(schedule).validate()).not.toThrow();
});

test("services, budgets and policies choose pods that are there", () => {
  const labels = pods.map(({ metadata }) => metadata.labels);
  const chosen = manifests.flatMap(({ kind, metadata, spec }) => {
    if (!["Service", "PodDisruptionBudget"].includes(kind)) return [];
    const selector = spec?.selector ?? {};
    const wanted = (kind === "Service" ? selector : selector["matchLabels"]) as object;
    const count = labels.filter((have) =>
      Object.entries(wanted).every(([name, value]) => have[name] === value),
    ).length;
    return [[`${kind} ${metadata.name}`, count]];
  });
  expect(chosen.length).toBe(5);
  expect(chosen.filter(([, count]) => count !== 1)).toEqual([]);
});
