/** The project's own documents: which there are, their links, headings and marked programs. */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { ROOT } from "./stack.ts";

/** Every Markdown file of the repository, by its path from the root. */
export function allDocuments(): string[] {
  return [
    ...globSync("{.github/**/,}*.md", { cwd: ROOT }),
    ...globSync("{deploy,docs,packages/*}/**/*.md", {
      cwd: ROOT,
      exclude: ["**/node_modules/**"],
    }),
  ].toSorted();
}

export function readDocument(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** Anchors of a document's headings, as GitHub makes them. */
export function anchorsOf(text: string): string[] {
  const seen = new Map<string, number>();
  return [...withoutCode(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => {
    const anchor = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
      .replaceAll(" ", "-");
    const count = seen.get(anchor) ?? 0;
    seen.set(anchor, count + 1);
    return count === 0 ? anchor : `${anchor}-${count}`;
  });
}

/** Relative links of a document: the file they lead to, from the root, and the anchor in it. */
export function linksOf(path: string): { file: string; anchor: string }[] {
  const links = withoutCode(readDocument(path)).matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g);
  return [...links].map(([, link = ""]) => {
    const [file = "", anchor = ""] = link.split("#");
    return { file: file === "" ? path : normalize(join(dirname(path), file)), anchor };
  });
}

function withoutCode(text: string): string {
  return text
    .replaceAll(/^```[^]*?^```$/gm, "")
    .replaceAll(/`[^`\n]+`/g, (code) => code.replaceAll(/[`\][]/g, ""));
}

/** A program in a document, marked `<!-- test: kind -->`, with what its output shows of success. */
export interface Program {
  title: string;
  kind: string;
  /** A line of its output, where the mark says one. */
  line: string | undefined;
  source: string;
}

/** The marked programs of a document; a block marked `continued` is added to the one before. */
export function programsOf(path: string): Program[] {
  const blocks = readDocument(path).matchAll(
    /<!-- test: (\w+)(, continued)?(?: prints "([^"]+)")? -->\n+```\w+\n([^]*?)\n```/g,
  );
  const found: Program[] = [];
  for (const [, kind = "", continued, line, source = ""] of blocks) {
    const previous = found.at(-1);
    if (continued !== undefined && previous) previous.source += `\n${source}`;
    else
      found.push({ title: `${path}, program ${found.length + 1} (${kind})`, kind, line, source });
  }
  return found;
}

/** The commands of the block that is marked `<!-- run: name -->`. @throws when there is none */
export function commandsOf(path: string, name: string): string {
  const [, after = ""] = readDocument(path).split(`<!-- run: ${name} -->`);
  const block = /^\s*```sh\n([^]*?)\n\s*```$/m.exec(after)?.[1];
  if (block === undefined) throw new Error(`${path} has no commands marked ${name}`);
  return block;
}
