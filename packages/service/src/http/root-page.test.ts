import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

import { expect, test } from "vitest";

import { PROBLEM_FORMAT } from "./errors.ts";
import { createTestLog } from "../../test/log.ts";
import { createTrustedProxies } from "./address.ts";
import { createApp } from "./app.ts";
import { createRootPage } from "./root-page.ts";

test("H11: the first page is HTML for who prefers it, JSON for others, and quotes its texts", async () => {
  const page = createRootPage({
    name: "A <b>",
    about: 'It\'s "a" & b.',
    pointers: { metadata: "/.well-known/x", other: "https://b.example/" },
  });
  const app = createApp({
    log: createTestLog().log,
    trustedProxies: createTrustedProxies([]),
    errorFormat: PROBLEM_FORMAT,
    routers: [page],
  });
  const server = createServer((req, res) => void app(req, res)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const get = (accept: string) => fetch(url, { headers: { accept } });

  for (const accept of ["*/*", "application/json", "application/*", "image/png", ",;q=,", ""]) {
    const answer = await get(accept);
    expect([answer.status, await answer.json()]).toEqual([
      200,
      {
        name: "A <b>",
        about: 'It\'s "a" & b.',
        links: { metadata: "/.well-known/x", other: "https://b.example/" },
      },
    ]);
  }
  for (const accept of ["text/html", "text/html,application/xhtml+xml,*/*;q=0.8", "TEXT/HTML"]) {
    const answer = await get(accept);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      "x-content-type-options": "nosniff",
      vary: "Accept",
    });
    const html = await answer.text();
    expect(html).toContain("<h1>A &lt;b&gt;</h1><p>It's &quot;a&quot; &amp; b.</p>");
    expect(html).toContain('<a href="https://b.example/">');
  }
  server.close();
});
