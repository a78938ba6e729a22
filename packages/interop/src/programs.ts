/**
 * The libraries of other languages: each language's programs stand beside this folder, are copied
 * into the cache with what they need from the language's own registry, and print their outcomes.
 */
import { cp, mkdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Outcome } from "./attempt.ts";
import { isInstalled, runTool } from "./tool.ts";

export interface Language {
  name: string;
  /** The folder of its programs, and of their copy. */
  folder: string;
  /** Commands that must be installed; without one the language is skipped. */
  needs: readonly string[];
  /** Prints which version of it is here. */
  version: Command;
  /** Makes its programs ready in a folder. */
  build(folder: string, cache: string): Promise<void>;
  /** What to run there. */
  programs(folder: string): readonly Command[];
  /** The library whose service docs/how-to/stock-validators.md shows, and how such a source is built. */
  service: {
    library: string;
    build(folder: string, source: string, cache: string): Promise<Command>;
  };
}

export type Command = readonly [string, ...string[]];

const PYTHON_ENVIRONMENTS = {
  "requirements.txt": ".venv",
  "requirements-mcp-1.txt": ".venv-mcp-1",
};

export const LANGUAGES: readonly Language[] = [
  {
    name: "Python",
    folder: "python",
    needs: ["python3"],
    version: ["python3", "--version"],
    async build(folder) {
      for (const [requirements, environment] of Object.entries(PYTHON_ENVIRONMENTS)) {
        await makePython(join(folder, environment), join(folder, requirements));
      }
    },
    programs(folder) {
      const python = join(folder, ".venv/bin/python");
      return [
        [python, "clients.py"],
        [python, "mcp_sdk.py"],
        [join(folder, ".venv-mcp-1/bin/python"), "mcp_sdk.py"],
        [python, "validators.py"],
      ];
    },
    service: {
      library: "PyJWT",
      async build(folder, source) {
        await writeFile(join(folder, "service.py"), source);
        return [join(folder, ".venv/bin/python"), "service.py"];
      },
    },
  },
  {
    name: "Go",
    folder: "go",
    needs: ["go"],
    version: ["go", "version"],
    async build(folder, cache) {
      await runTool("go", ["build", "-o", "interop", "."], { folder, env: goEnvironment(cache) });
    },
    programs: (folder) => [[join(folder, "interop")]],
    service: {
      library: "go-oidc",
      async build(folder, source, cache) {
        await mkdir(join(folder, "service"), { recursive: true });
        await writeFile(join(folder, "service/main.go"), source);
        const program = join(folder, "service/service");
        await runTool("go", ["build", "-o", program, "./service"], {
          folder,
          env: goEnvironment(cache),
        });
        return [program];
      },
    },
  },
  {
    name: "Java",
    folder: "java",
    needs: ["java", "mvn"],
    version: ["java", "--version"],
    async build(folder, cache) {
      await runTool("mvn", ["-q", "-B", `-Dmaven.repo.local=${join(cache, "maven")}`, "package"], {
        folder,
        env: { MAVEN_OPTS: "-Xmx512m" },
      });
    },
    programs: () =>
      [
        ["nimbus", "daykey.Nimbus"],
        ["spring-6", "daykey.App"],
        ["spring-7", "daykey.App"],
      ].map(([module = "", main = ""]): Command => {
        const path = [`${module}/target/classes`, `${module}/target/dependency/*`];
        return ["java", "-Xmx512m", "-cp", path.join(delimiter), main];
      }),
    service: {
      library: "Spring Security",
      async build(folder, source) {
        const libraries = "spring-7/target/dependency/*";
        await mkdir(join(folder, "service/example"), { recursive: true });
        await writeFile(join(folder, "service/example/Service.java"), source);
        await runTool(
          "javac",
          ["-parameters", "-cp", libraries, "-d", "service", "service/example/Service.java"],
          { folder },
        );
        const path = ["service", libraries].join(delimiter);
        return ["java", "-Xmx512m", "-cp", path, "example.Service"];
      },
    },
  },
];

/** Modules and build results stay in the cache, and can be deleted from it. */
export function goEnvironment(cache: string): Record<string, string> {
  return {
    GOPATH: join(cache, "go-path"),
    GOCACHE: join(cache, "go-build"),
    GOFLAGS: "-modcacherw",
  };
}

/** A virtual environment with exactly what the file pins. */
export async function makePython(environment: string, requirements: string): Promise<void> {
  await runTool("python3", ["-m", "venv", environment], {});
  const pip = join(environment, "bin/pip");
  await runTool(pip, ["install", "-q", "--disable-pip-version-check", "-r", requirements], {});
}

/** What a language's programs say of a world. */
type Try = (worldFile: string) => Promise<Outcome[]>;

/** What a language can be tried with, once it is built. */
export interface Prepared {
  attempts: Try;
  /** The service that the documentation shows. */
  service: { library: string; command: Command; folder: string };
}

/**
 * Copies and builds its programs, and its service.
 * @param options.source of the service
 * @returns undefined when the language is not installed here
 */
export async function prepareLanguage(
  language: Language,
  { cache, source }: { cache: string; source: string },
): Promise<Prepared | undefined> {
  for (const command of language.needs) if (!(await isInstalled(command))) return undefined;
  const folder = join(cache, language.folder);
  await cp(fileURLToPath(new URL(`../${language.folder}`, import.meta.url)), folder, {
    recursive: true,
  });
  await language.build(folder, cache);
  const { library, build } = language.service;
  const started = await build(folder, source, cache);
  const attempts: Try = async (worldFile) => {
    const outcomes: Outcome[] = [];
    for (const [command, ...args] of language.programs(folder)) {
      const env = { DAYKEY_INTEROP_WORLD: worldFile };
      const { output } = await runTool(command, args, { folder, env });
      const lines = output.split("\n").filter((line) => line.startsWith('{"'));
      if (lines.length === 0) throw new Error(`${command} ${args.join(" ")} tried nothing`);
      outcomes.push(...lines.map((line) => JSON.parse(line) as Outcome));
    }
    return outcomes;
  };
  return { attempts, service: { library, command: started, folder } };
}
