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
  template?: { metadata: { labels: Record<string, string> }; spec: Pod };
  selector?: Record<string, unknown>;
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
    kustomization.resources.map(async (file) =>
      parseAllDocuments(await read(file)).map((document) => document.toJS() as Manifest),
    ),
  )
).flat();
const title = ({ kind, metadata }: Manifest): string => `${kind} ${metadata.name}`;
const pods = manifests.flatMap(({ kind, metadata, spec }) =>
  spec?.template ? [{ title: `${kind} ${metadata.name}`, ...spec.template }] : [],
);

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
    ...["deny", "names", "public", "private", "to-database", "to-auth-server", "to-key-sets"].map(
      (name) => `NetworkPolicy ${name}`,
    ),
    "NetworkPolicy database",
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

test.each(pods.map((pod) => [pod.title, pod.spec] as const))(
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
  const commands = secrets.map(({ secretName }) => `create secret generic ${secretName} `);
  const files = pods
    .flatMap(({ spec }) => spec.containers.flatMap(({ env }) => env))
    .filter(({ value }) => value.startsWith("/secrets/"))
    .map(({ value }) => value.slice("/secrets/".length));
  expect(files.length).toBeGreaterThan(5);
  expect([...commands, ...files].filter((text) => !readme.includes(text))).toEqual([]);
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
