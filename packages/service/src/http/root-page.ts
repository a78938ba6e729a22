/**
 * `GET /`: what a person or a program meets first is told what this is and where to read on. It says
 * nothing that the addresses it names do not say to everyone.
 */
import { answerJson } from "./json-answer.ts";
import { type AppRouter, createRouter } from "./router.ts";

/** What to read on, by its address: a path here, or a URL. */
export type Pointers = Readonly<Record<string, string>>;

const HTML = "text/html";
const MAX_AGE_SECONDS = 300;

/**
 * HTML for who prefers it, JSON for everyone else.
 * @param options.name what this is, in two words
 * @param options.about in a sentence
 */
export function createRootPage({
  name,
  about,
  pointers,
}: {
  name: string;
  about: string;
  pointers: Pointers;
}): AppRouter {
  const json = JSON.stringify({ name, about, links: pointers });
  const html = Buffer.from(pageOf(name, about, pointers));
  const router = createRouter();
  router.get("/", (ctx) => {
    ctx.vary("Accept");
    if (ctx.accepts("application/json", HTML) === HTML) {
      ctx.set("Content-Type", `${HTML}; charset=utf-8`);
      ctx.body = html;
    } else {
      answerJson(ctx, json);
    }
    ctx.set("Cache-Control", `public, max-age=${MAX_AGE_SECONDS}`);
  });
  return router;
}

function pageOf(name: string, about: string, pointers: Pointers): string {
  const items = Object.entries(pointers).map(
    ([label, href]) => `<li>${textOf(label)}: <a href="${textOf(href)}">${textOf(href)}</a></li>`,
  );
  return (
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>${textOf(name)}</title>` +
    `<h1>${textOf(name)}</h1><p>${textOf(about)}</p><ul>${items.join("")}</ul></html>\n`
  );
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

function textOf(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => ENTITIES[sign] ?? sign);
}
