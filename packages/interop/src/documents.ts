/** Both OpenAPI documents and the Kubernetes manifests, looked at by tools that know such things. */
import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { goEnvironment, makePython } from "./programs.ts";
import { isInstalled, runTool } from "./tool.ts";
import type { RunningWorld } from "./world.ts";

export interface Finding {
  tool: string;
  what: string;
  /** undefined: the tool was not run. */
  passed: boolean | undefined;
  seen: string;
}

const TOOLS = new URL("../tools/", import.meta.url);
const MANIFESTS = fileURLToPath(new URL("../../../deploy/kubernetes", import.meta.url));

interface OpenApiDocument {
  name: string;
  file: string;
  baseUrl: string;
  /** A fresh one: access tokens live for ten minutes. */
  token(): Promise<string>;
}

/** What the tools say of a world's documents. */
export type Check = (running: RunningWorld) => Promise<Finding[]>;

/** Installs the tools. */
export async function prepareDocumentTools(cache: string): Promise<Check> {
  const folder = join(cache, "tools");
  await cp(TOOLS, folder, { recursive: true });
  await runTool("npm", ["ci", "--no-audit", "--no-fund", "--ignore-scripts"], { folder });
  const hasPython = await isInstalled("python3");
  const environment = join(folder, ".venv");
  if (hasPython) await makePython(environment, join(folder, "requirements.txt"));
  const python = (tool: string): string => join(environment, "bin", tool);
  const node = (tool: string): string => join(folder, "node_modules/.bin", tool);
  const rules = ["--ruleset", join(folder, "spectral.yaml"), "--fail-severity", "error"];

  return async (running) => {
    const findings: Finding[] = [];
    for (const document of await fetchDocuments(running, folder)) {
      const { name, file } = document;
      findings.push(await finding(folder, ["redocly", name], node("redocly"), ["lint", file]));
      findings.push(
        await finding(folder, ["spectral", name], node("spectral"), ["lint", ...rules, file]),
      );
      if (!hasPython) continue;
      const validator = "openapi-spec-validator";
      findings.push(await finding(folder, [validator, name], python(validator), [file]));
      findings.push(await tryOperations(python("schemathesis"), document, folder));
    }
    if (hasPython) return findings;
    return [...findings, notRun("openapi-spec-validator"), notRun("schemathesis")];
  };
}

async function fetchDocuments(
  { world, adminToken, demoToken }: RunningWorld,
  folder: string,
): Promise<OpenApiDocument[]> {
  const adminBase = new URL(world.admin_url).origin;
  const documents = [
    {
      name: "resource-server",
      url: `${world.resource}/openapi.json`,
      baseUrl: world.resource,
      token: demoToken,
    },
    {
      name: "auth-server, admin API",
      url: `${world.admin_url}/openapi.json`,
      baseUrl: adminBase,
      token: adminToken,
    },
  ];
  return Promise.all(
    documents.map(async ({ url, ...document }, i) => {
      const headers = { authorization: `Bearer ${await document.token()}` };
      const response = await fetch(url, { headers });
      if (!response.ok) throw new Error(`${url}: ${response.status}`);
      const file = join(folder, `openapi-${i}.json`);
      await writeFile(file, JSON.stringify(await response.json(), null, 2));
      return { ...document, file };
    }),
  );
}

/** Generated requests to every operation: no 5xx, and no answer that the document does not describe. */
async function tryOperations(
  schemathesis: string,
  { name, file, baseUrl, token }: OpenApiDocument,
  folder: string,
): Promise<Finding> {
  const config = join(folder, "schemathesis.toml");
  const header = `Authorization: Bearer ${await token()}`;
  // The same requests each time, within two minutes.
  const options =
    "--max-examples 10 --max-time 120 --seed 1 --generation-database none --continue-on-failure --no-color";
  const args = ["--config-file", config, "run", file, "--url", baseUrl, "--header", header];
  return finding(folder, ["schemathesis", name], schemathesis, [...args, ...options.split(" ")]);
}

/** What is applied is looked at: the manifests as kustomize puts them together, with all patches. */
export async function checkManifests(cache: string): Promise<Finding[]> {
  const folder = join(cache, "tools");
  await cp(TOOLS, folder, { recursive: true });
  const what = "kubectl kustomize deploy/kubernetes";
  if (!(await isInstalled("go"))) return [notRun("kube-score"), notRun("checkov")];
  const build = async (tool: string, module: string): Promise<string> => {
    const file = join(folder, tool);
    await runTool("go", ["build", "-o", file, module], { folder, env: goEnvironment(cache) });
    return file;
  };
  const kustomize = await build("kustomize", "sigs.k8s.io/kustomize/kustomize/v5");
  const rendered = join(folder, "kubernetes.yaml");
  await runTool(kustomize, ["build", MANIFESTS, "-o", rendered], { folder });
  const kubeScore = await build("kube-score", "github.com/zegl/kube-score/cmd/kube-score");
  const score = ["score", "--output-format", "ci", rendered];
  const findings = [await finding(folder, ["kube-score", what], kubeScore, score)];
  if (!(await isInstalled("python3"))) return [...findings, notRun("checkov")];
  const environment = join(folder, ".venv-checkov");
  await makePython(environment, join(folder, "requirements-checkov.txt"));
  const checkov = join(environment, "bin/checkov");
  const args = ["--file", rendered, "--framework", "kubernetes", "--compact", "--quiet"];
  return [...findings, await finding(folder, ["checkov", what], checkov, args)];
}

async function finding(
  folder: string,
  [tool, what]: readonly [tool: string, what: string],
  command: string,
  args: readonly string[],
): Promise<Finding> {
  // Tools leave files where they are started.
  const { code, output } = await runTool(command, args, { folder, codes: [0, 1, 2] });
  return { tool, what, passed: code === 0, seen: output };
}

function notRun(tool: string): Finding {
  return { tool, what: "", passed: undefined, seen: "its language is not installed" };
}
