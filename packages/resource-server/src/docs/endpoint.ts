/**
 * `GET /docs`, the page on which a person reads and tries this API (Swagger UI, from its package), and
 * `GET /openapi.json`, which it shows. Nothing is loaded from anywhere else; its scripts may talk to
 * this server and to the issuer, for a token, and to nobody else.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { JSON_MEDIA_TYPE } from "@daykey/common/media-types";
import { type AppRouter, createRouter } from "@daykey/service/http/router";

const MAX_AGE_SECONDS = 300;

const require = createRequire(import.meta.url);

/** By path: its media type, and where it is. */
const FILES = {
  "/docs": ["text/html", require.resolve("./page/index.html")],
  "/docs/start.js": ["text/javascript", require.resolve("./page/start.js")],
  "/docs/page.css": ["text/css", require.resolve("./page/page.css")],
  "/docs/swagger-ui-bundle.js": [
    "text/javascript",
    require.resolve("swagger-ui-dist/swagger-ui-bundle.js"),
  ],
  "/docs/swagger-ui.css": ["text/css", require.resolve("swagger-ui-dist/swagger-ui.css")],
} as const;

export function createDocsEndpoint({
  issuer,
  document,
}: {
  issuer: string;
  /** The OpenAPI document. */
  document: object;
}): AppRouter {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    `connect-src 'self' ${issuer}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");

  const router = createRouter();
  const openapi = Buffer.from(JSON.stringify(document));
  router.get("/openapi.json", (ctx) => {
    ctx.set("Cache-Control", `public, max-age=${MAX_AGE_SECONDS}`);
    ctx.type = JSON_MEDIA_TYPE;
    ctx.body = openapi;
  });
  for (const [path, [type, file]] of Object.entries(FILES)) {
    // As bytes: of a text, each answer would be made anew, and held until it is read.
    const content = readFileSync(file);
    router.get(path, (ctx) => {
      ctx.set("Cache-Control", `public, max-age=${MAX_AGE_SECONDS}`);
      ctx.set("Content-Security-Policy", policy);
      ctx.type = type;
      ctx.body = content;
    });
  }
  return router;
}
