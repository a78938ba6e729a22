/**
 * The documentation as a site: `npm run docs` builds it from the Markdown files of the repository,
 * with search, and fails at a dead link. The side bar is docs/README.md's list of pages.
 */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type DefaultTheme, defineConfig, type MarkdownRenderer } from "vitepress";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

type Token = ReturnType<MarkdownRenderer["parse"]>[number];

/** Where a page outside docs/ stands in the site. Pages of docs/ stand at its top. */
const PAGES: Record<string, string> = {
  "README.md": "about.md",
  "CHANGELOG.md": "changelog.md",
  "CONTEXT.md": "words.md",
  "CONTRIBUTING.md": "contributing.md",
  "SECURITY.md": "reporting-a-flaw.md",
  "deploy/kubernetes/README.md": "how-to/kubernetes.md",
  "packages/cli/README.md": "reference/cli-conventions.md",
  "packages/client/README.md": "reference/client-library.md",
  "docs/README.md": "index.md",
  "docs/adr/README.md": "adr/index.md",
};

const rewrites = { ...PAGES, "docs/:path(.*)": ":path" };

export default defineConfig({
  srcDir: "..",
  // Only documentation is a page: no templates of issues, no notes of dependencies.
  srcExclude: [".*/**", "packages/*/!(README.md)/**", "deploy/!(kubernetes)/**"],
  rewrites,
  title: "Daykey",
  description: "A token server for machines",
  markdown: {
    config(markdown) {
      markdown.core.ruler.push("links", ({ tokens, env }) => {
        const from = env as { path: string; realPath?: string; relativePath: string };
        const file = from.realPath ?? from.path;
        for (const { children } of tokens) turnLinks(children ?? [], file, from.relativePath);
      });
    },
  },
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    nav: [
      { text: "About", link: "/about" },
      { text: "Changelog", link: "/changelog" },
    ],
    sidebar: sidebar(),
  },
});

/**
 * Makes links between files of the repository links between pages. Other files of the repository
 * are named in the site, and not linked.
 */
function turnLinks(tokens: Token[], source: string, page: string): void {
  let isOpen = false;
  for (const token of tokens) {
    const link = token.attrGet("href") ?? "";
    if (token.type === "link_open" && !/^(?:[a-z]+:|#)/.test(link)) {
      const [file = "", anchor] = link.split("#");
      if (file.endsWith(".md")) {
        const target = pageOf(normalize(join(relative(ROOT, dirname(source)), file)));
        const path = relative(dirname(page), target);
        token.attrSet("href", `./${path}${anchor === undefined ? "" : `#${anchor}`}`);
      } else isOpen = true;
    }
    if (!isOpen || !token.type.startsWith("link_")) continue;
    if (token.type === "link_close") isOpen = false;
    token.tag = "span";
    token.attrs = null;
  }
}

/** Where a Markdown file stands in the site. */
function pageOf(path: string): string {
  return PAGES[path] ?? path.replace(/^docs\//, "");
}

/** One group for each second heading of docs/README.md, with the pages that it links to. */
function sidebar(): DefaultTheme.SidebarItem[] {
  const groups = read("docs/README.md").split(/^## /m).slice(1);
  const decisions = globSync("docs/adr/0*.md", { cwd: ROOT }).toSorted();
  return [
    ...groups.map((group) => ({
      text: group.split("\n")[0] ?? "",
      items: [...group.matchAll(/\]\(([^)#]+\.md)\)/g)].map(([, link = ""]) =>
        item(normalize(join("docs", link))),
      ),
    })),
    { text: "Decisions", collapsed: true, items: decisions.map(item) },
  ];
}

function item(path: string): DefaultTheme.SidebarItem {
  const title = /^# (.+)$/m.exec(read(path))?.[1] ?? path;
  return { text: title, link: `/${pageOf(path).replace(/(index)?\.md$/, "")}` };
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}
