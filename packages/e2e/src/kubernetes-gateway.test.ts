/** The component of deploy/kubernetes for the gateway, against Kubernetes' schemas and what it names. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describeConfig } from "@daykey/gateway/config";
import { readRoutesFile } from "@daykey/gateway/routes-file";
import { expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { ROOT } from "../test/stack.ts";

interface Container {
  name: string;
  image: string;
  env: { name: string }[];
  securityContext: object;
}

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  spec: {
    template?: { spec: { securityContext: object; containers: Container[] } };
    podSelector?: { matchLabels: object };
    egress?: { to?: object[] }[];
  };
}

const FOLDER = join(ROOT, "deploy/kubernetes/gateway");
const read = (path: string): Promise<string> => readFile(path, "utf8");
const component = parse(await read(join(FOLDER, "kustomization.yaml"))) as {
  resources: string[];
  configMapGenerator: { files?: string[]; literals?: string[] }[];
};
const manifests = (
  await Promise.all(
    component.resources.map(async (file) =>
      parseAllDocuments(await read(join(FOLDER, file))).map((one) => one.toJS() as Manifest),
    ),
  )
).flat();
const pods = manifests.flatMap(({ spec }) => spec.template?.spec ?? []);
const containers = pods.flatMap((pod) => pod.containers);

test.each(
  manifests.map((manifest) => [`${manifest.kind} ${manifest.metadata.name}`, manifest] as const),
)("%s follows its schema", async (_, manifest) => {
  type Model = new (data: Manifest) => { validate(): void };
  const models = (await import(`kubernetes-models/${manifest.apiVersion}`)) as Record<
    string,
    Model
  >;
  const Kind = models[manifest.kind];
  if (!Kind) throw new Error(`${manifest.apiVersion} has no ${manifest.kind}`);
  expect(() => new Kind(manifest).validate()).not.toThrow();
});

test("every container is nobody in particular, read-only, without capabilities", () => {
  for (const { securityContext } of pods) {
    expect(securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: "RuntimeDefault" },
    });
  }
  expect(containers.map(({ name }) => name)).toEqual(["gateway", "gateway", "nginx", "service"]);
  for (const { securityContext } of containers) {
    expect(securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
  }
});

test("every setting is one of the gateway's, and beside a service it believes loopback alone", () => {
  const help = describeConfig();
  const known = [...help.matchAll(/^ +([A-Z_]+)(\[_FILE\])?/gm)].flatMap(([, name = "", file]) => [
    name,
    ...(file ? [`${name}_FILE`] : []),
  ]);
  const set = containers.flatMap(({ env }) => env.map(({ name }) => name));
  expect(set.filter((name) => !known.includes(name))).toEqual([]);
  const [, beside] = containers;
  const names = beside?.env.map(({ name }) => name) ?? [];
  expect(names.filter((name) => ["HOST", "TRUSTED_PROXIES", "GRPC_PORT"].includes(name))).toEqual(
    [],
  );
});

test("no network of pods or nodes may say what is asked", () => {
  const literals = component.configMapGenerator.flatMap((map) => map.literals ?? []);
  // Documentation's network (RFC 5737): set to the ingress' own, or nobody is believed.
  expect(literals).toContain("TRUSTED_PROXIES=192.0.2.0/24");
});

test("policies let nobody out to anywhere at once", () => {
  const rules = manifests.flatMap(({ kind, spec }) =>
    kind === "NetworkPolicy" ? (spec.egress ?? []) : [],
  );
  expect(rules).toHaveLength(2);
  expect(rules.filter(({ to }) => to === undefined)).toEqual([]);
});

test("its files are those of deploy/gateway, and its routes can be read", async () => {
  const copies = ["nginx/daykey.conf", "nginx/daykey-headers.conf", "service.py"];
  for (const path of copies) {
    const copy = await read(join(FOLDER, path.replace("nginx/", "")));
    expect([path, copy]).toEqual([path, await read(join(ROOT, "deploy/gateway", path))]);
  }
  const files = component.configMapGenerator.flatMap((map) => map.files ?? []);
  for (const file of files) expect((await read(join(FOLDER, file))).length).toBeGreaterThan(0);
  for (const path of [join(FOLDER, "routes.yaml"), join(ROOT, "deploy/gateway/routes.yaml")]) {
    const routes = readRoutesFile(await read(path), { name: path, resource: "https://x.example" });
    expect(routes.size).toBe(1);
  }
});
