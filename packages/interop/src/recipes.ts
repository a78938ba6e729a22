/** Recipes: pieces of the programs that ran, which the page shows as they stand. */
import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Recipe {
  title: string;
  /** As a fenced block names it. */
  language: string;
  code: string;
}

const FOLDERS = ["src/node", "python", "go", "java/src/daykey"];
const LANGUAGES: Record<string, string> = {
  ".ts": "ts",
  ".py": "python",
  ".go": "go",
  ".java": "java",
};
const MARKED = /^ *(?:\/\/|#) recipe: (?<title>.+)\n(?<code>[^]*?)^ *(?:\/\/|#) end of recipe$/gm;

/** Everything between `recipe: <title>` and `end of recipe`, both comments on lines of their own. */
export async function findRecipes(): Promise<Recipe[]> {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const recipes: Recipe[] = [];
  for (const folder of FOLDERS) {
    for (const name of (await readdir(join(root, folder))).toSorted()) {
      const language = LANGUAGES[extname(name)];
      if (language === undefined) continue;
      const source = await readFile(join(root, folder, name), "utf8");
      for (const { groups } of source.matchAll(MARKED)) {
        recipes.push({
          title: groups?.["title"] ?? "",
          language,
          code: dedent(groups?.["code"] ?? ""),
        });
      }
    }
  }
  return recipes;
}

function dedent(code: string): string {
  const lines = code.split("\n");
  const depths = lines.filter((line) => line.trim() !== "").map((line) => line.search(/\S/));
  const depth = Math.min(...depths);
  return lines
    .map((line) => line.slice(depth))
    .join("\n")
    .trim();
}
