/**
 * The services that docs/how-to/stock-validators.md and the README show: each is taken from its
 * page as it stands, run, and asked with good and bad tokens.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as delay } from "node:timers/promises";
import { freePorts } from "@daykey/service/test/free-ports";
import type { Finding } from "./documents.ts";
import type { Command } from "./programs.ts";
import type { TokenSamples } from "./token-samples.ts";
import type { RunningWorld } from "./world.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PAGES = ["README.md", "docs/how-to/stock-validators.md"];
const MARKED = /<!-- service: (?<library>[^>]+?) -->\n+```\w+\n(?<source>[^]*?)\n```/g;

export interface Service {
  page: string;
  library: string;
  source: string;
}

/** Every program marked `<!-- service: <library> -->` in the pages. */
export async function findServices(): Promise<Service[]> {
  const found = await Promise.all(
    PAGES.map(async (page) => {
      const text = await readFile(join(ROOT, page), "utf8");
      return [...text.matchAll(MARKED)].map(({ groups }) => ({
        page,
        library: groups?.["library"] ?? "",
        source: groups?.["source"] ?? "",
      }));
    }),
  );
  return found.flat();
}

/** What a service is asked with, by name: the value of Authorization, and the status it must have. */
export function questions(
  { good, bad }: TokenSamples,
  withoutScope: string,
): Record<string, { authorization: string | undefined; status: number }> {
  const refused = Object.entries(bad).map(([name, token]) => [
    name,
    { authorization: `Bearer ${token}`, status: 401 },
  ]);
  return {
    good: { authorization: `Bearer ${good}`, status: 200 },
    "scheme in small letters": { authorization: `bearer ${good}`, status: 200 },
    nothing: { authorization: undefined, status: 401 },
    "no token": { authorization: "Bearer", status: 401 },
    "no JWT": { authorization: "Bearer x", status: 401 },
    "another scheme": { authorization: `Basic ${good}`, status: 401 },
    "another scope": { authorization: `Bearer ${withoutScope}`, status: 403 },
    ...(Object.fromEntries(refused) as Record<string, { authorization: string; status: number }>),
  };
}

/**
 * Starts a service and asks it everything.
 * @returns a status for each question, by its name
 * @throws {Error} with what it wrote, when it ends or does not listen within two minutes
 */
export async function askService(
  { command, args, folder, port }: ServiceStart,
  samples: TokenSamples,
  asked: ReturnType<typeof questions>,
): Promise<Record<string, number>> {
  const child = spawn(command, args, {
    cwd: folder,
    env: {
      ...process.env,
      ISSUER: samples.issuer,
      AUDIENCE: samples.audience,
      PORT: String(port),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said: string[] = [];
  child.stdout.on("data", (data: Buffer) => said.push(String(data)));
  child.stderr.on("data", (data: Buffer) => said.push(String(data)));
  try {
    const url = `http://127.0.0.1:${port}/`;
    await untilItListens(child, url).catch((error: unknown) => {
      throw new Error(said.join("").slice(-4000), { cause: error });
    });
    const statuses: Record<string, number> = {};
    for (const [name, { authorization }] of Object.entries(asked)) {
      const headers = authorization === undefined ? {} : { authorization };
      statuses[name] = (await fetch(url, { headers })).status;
    }
    return statuses;
  } finally {
    if (child.exitCode === null && child.kill("SIGKILL")) await once(child, "exit");
  }
}

/** Runs a service of another language against a world, as a finding of the page. */
export async function tryService(
  { library, command, folder }: { library: string; command: Command; folder: string },
  running: RunningWorld,
): Promise<Finding> {
  const samples = running.world.validation.ES256;
  const asked = questions(samples, await running.demoToken("primes:check"));
  const [port = 0] = await freePorts(1);
  const [program, ...args] = command;
  const statuses = await askService({ command: program, args, folder, port }, samples, asked);
  const wrong = Object.entries(asked).filter(([name, { status }]) => statuses[name] !== status);
  return {
    tool: library,
    what: "service",
    passed: wrong.length === 0,
    seen: wrong.map(([name]) => `${name}: ${statuses[name]}`).join("\n"),
  };
}

interface ServiceStart {
  command: string;
  args: string[];
  folder: string;
  /** A free one. */
  port: number;
}

async function untilItListens(child: ChildProcess, url: string): Promise<void> {
  for (let tries = 0; tries < 1200; tries++) {
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}`);
    if (await fetch(url).then(Boolean, () => false)) return;
    await delay(100);
  }
  throw new Error("does not listen");
}
