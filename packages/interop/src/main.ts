/**
 * `npm run interop`: real libraries of four languages against a running Daykey, and tools that check
 * its OpenAPI documents and Kubernetes manifests. Writes docs/reference/interop.md. Ends with 1 when something
 * did not work that is not known to be a library's own limit. `-- --only node,python,go,java,documents,
 * manifests` does a part and prints it instead.
 */
import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { checkManifests, type Finding, prepareDocumentTools } from "./documents.ts";
import { tryNodeLibraries } from "./node/libraries.ts";
import { formatPage, type LanguageResult, surprises, verdictsOf } from "./page.ts";
import { LANGUAGES, prepareLanguage } from "./programs.ts";
import { findRecipes } from "./recipes.ts";
import { findServices, tryService } from "./services.ts";
import { type RunningWorld, startWorld } from "./world.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PAGE = join(ROOT, "docs/reference/interop.md");
const CACHE = resolve(
  process.env["DAYKEY_INTEROP_DIR"] ?? join(ROOT, "node_modules/.cache/daykey-interop"),
);
const PARTS = ["node", "python", "go", "java", "documents", "manifests"] as const;
type Part = (typeof PARTS)[number];

const { values } = parseArgs({ options: { only: { type: "string" } } });
const parts = new Set<string>(values.only?.split(",") ?? PARTS);
const tell = (what: string): void => void process.stderr.write(`interop: ${what}\n`);

await mkdir(CACHE, { recursive: true });
const results: LanguageResult[] = [];
let documents: Finding[] = [];
let manifests: Finding[] = [];
const services: Finding[] = [];
for (const part of PARTS) {
  if (!parts.has(part)) continue;
  tell(part);
  await run(part);
}
await report();

/** Builds come first: access tokens live for ten minutes, and a build can take longer. */
async function run(part: Part): Promise<void> {
  if (part === "manifests") {
    manifests = await checkManifests(CACHE);
  } else if (part === "documents") {
    const check = await prepareDocumentTools(CACHE);
    documents = await inWorld(check);
  } else if (part === "node") {
    const outcomes = await inWorld(({ world }) => tryNodeLibraries(world));
    results.push({ language: "Node", runtime: `Node ${process.versions.node}`, outcomes });
  } else {
    results.push(await tryLanguage(part));
  }
}

async function inWorld<Result>(use: (running: RunningWorld) => Promise<Result>): Promise<Result> {
  const running = await startWorld();
  try {
    return await use(running);
  } finally {
    await running.stop();
  }
}

async function tryLanguage(folder: string): Promise<LanguageResult> {
  const language = LANGUAGES.find((candidate) => candidate.folder === folder);
  if (language === undefined) throw new Error(folder);
  const { name, needs, version } = language;
  const shown = (await findServices()).find(({ library }) => library === language.service.library);
  const prepared = await prepareLanguage(language, { cache: CACHE, source: shown?.source ?? "" });
  if (prepared === undefined) {
    tell(`${needs.join(" or ")} is not here: skipped`);
    return { language: name, runtime: undefined, outcomes: [] };
  }
  const outcomes = await inWorld(async (running) => {
    services.push(await tryService(prepared.service, running));
    const worldFile = join(CACHE, `world-${folder}.json`);
    await writeFile(worldFile, JSON.stringify(running.world), { mode: 0o600 });
    return prepared.attempts(worldFile);
  });
  return { language: name, runtime: runtimeOf(version), outcomes };
}

function runtimeOf([command, ...args]: readonly [string, ...string[]]): string {
  const { stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  return (stdout || stderr).split("\n")[0]?.trim() ?? command;
}

async function report(): Promise<void> {
  const verdicts = results.flatMap(({ outcomes }) => verdictsOf(outcomes));
  for (const { tool, what, passed, seen } of [...services, ...documents, ...manifests]) {
    if (passed === false) process.stdout.write(`\n${tool}, ${what}:\n${seen}\n`);
  }
  const unexpected = surprises(verdicts);
  for (const { library, check, seen } of unexpected) tell(`${library}, ${check}: ${seen}`);
  if (unexpected.length > 0 || [...services, ...documents].some(({ passed }) => passed === false)) {
    process.exitCode = 1;
  }
  const date = new Date().toISOString().slice(0, 10);
  const page = formatPage({
    date,
    results,
    services,
    documents,
    manifests,
    recipes: await findRecipes(),
  });
  if (values.only !== undefined) {
    process.stdout.write(`${page}\n`);
    return;
  }
  await writeFile(PAGE, `${page}\n`);
  tell(`wrote ${PAGE}`);
}
