/** The examples of the README and of the tutorial, word for word, each in a process of its own before a real auth-server. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { signRequest } from "@daykey/client/internal/signed-fetch";
import { machineTool } from "@daykey/service/test/machine-tool";
import { afterAll, beforeAll, expect, test } from "vitest";
import { API, ISSUER, type RealIssuer, startRealIssuer } from "../test/real-issuer.ts";

const PACKAGE = fileURLToPath(new URL("../", import.meta.url));

/** How each server is begun; what is printed is its port. */
const BEGIN: Record<string, string> = {
  express: "const server = app.listen(0); const port = () => server.address().port;",
  fastify: "await app.listen({ port: 0 }); const port = () => app.server.address().port;",
  koa: "const server = app.listen(0); const port = () => server.address().port;",
  node: "server.listen(0); const port = () => server.address().port;",
  fetch: `import { serve } from "@hono/node-server";
    const server = serve({ fetch: app.fetch, port: 0 }); const port = () => server.address().port;`,
};

/** The issuer's name is not that of this machine. */
const ROUTE = `const given = globalThis.fetch;
globalThis.fetch = (input, init) => given(String(input).replace(process.env.ISSUER, process.env.AT), init);
`;

const ASK = `const answers = [];
for (const headers of [{}, { authorization: "Bearer " + process.env.TOKEN }]) {
  const answer = await given("http://127.0.0.1:" + port() + "/orders", { headers });
  answers.push([answer.status, await answer.json()]);
}
process.stdout.write(JSON.stringify(answers));
process.exit();
`;

let issuer: RealIssuer;
let folder: string;
let readme: string;
let tutorial: string;
beforeAll(async () => {
  issuer = await startRealIssuer();
  readme = await readFile(join(PACKAGE, "README.md"), "utf8");
  tutorial = await readFile(join(PACKAGE, "../../docs/tutorials/protect-an-api.md"), "utf8");
  folder = await mkdtemp(join(tmpdir(), "daykey-readme-"));
  await mkdir(join(folder, "node_modules/@daykey"), { recursive: true });
  await mkdir(join(folder, "node_modules/@hono"));
  await symlink(PACKAGE, join(folder, "node_modules/@daykey/guard"));
  for (const name of ["express", "fastify", "koa", "hono", "@hono/node-server"]) {
    await symlink(join(PACKAGE, "node_modules", name), join(folder, "node_modules", name));
  }
  const { clientId: client_id, clientSecret: client_secret, salt } = issuer.credential;
  const credential = { issuer: ISSUER, client_id, client_secret, salt };
  await writeFile(join(folder, "resource.json"), JSON.stringify(credential));
});
afterAll(async () => {
  await issuer.stop();
  await rm(folder, { recursive: true });
});

function exampleOf(name: string, page = readme): string {
  const source = page.split(`\`\`\`${name}\n`)[1]?.split("\n```")[0];
  if (source === undefined) throw new Error(`the page has no example ${name}`);
  return source
    .replaceAll("orders:read", "time:read")
    .replaceAll(/"\.\/packages\/guard\/src\/(\w+)\.ts"/g, '"@daykey/guard/$1"');
}

const surroundings = () => ({ ...process.env, ISSUER, AT: issuer.server.url, RESOURCE: API });

async function expectLetsInWhoMay(name: string, page: string): Promise<void> {
  const example = exampleOf(`js ${name}`, page);
  expect(example.split("\n").filter((line) => line.includes("guard")).length).toBe(2);
  const program = [ROUTE, exampleOf("js"), example, BEGIN[name], ASK].join("\n");
  await writeFile(join(folder, `${name}.mjs`), program);
  const options = { cwd: folder, env: { ...surroundings(), TOKEN: await issuer.token() } };
  const { stdout } = await promisify(execFile)(process.execPath, [`${name}.mjs`], options);
  expect(JSON.parse(stdout)).toEqual([
    [401, { type: "about:blank", title: "A credential is required", status: 401 }],
    [200, { client: issuer.client.clientId }],
  ]);
}

test.each(Object.keys(BEGIN))("the README's example of %s lets in who may, and no other", (name) =>
  expectLetsInWhoMay(name, readme),
);

test.each(["express", "fastify", "koa"])(
  "the tutorial's example of %s lets in who may, and no other",
  (name) => expectLetsInWhoMay(name, tutorial),
);

/** Others than Node that run the fetch adapter: both are packages of npm. */
const RUNTIMES = {
  deno: {
    command: ["run", "--allow-all", "--no-lock", "--node-modules-dir=manual"],
    begin: `const { addr } = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, app.fetch);
      console.log(addr.port);`,
  },
  bun: {
    command: ["run"],
    begin: `const { port } = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: app.fetch });
      console.log(port);`,
  },
};

for (const [name, { command, begin }] of Object.entries(RUNTIMES)) {
  const runtime = machineTool(name, `none, but npm has ${name}`);
  test.skipIf(runtime === undefined)(
    `${name}: the README's example of fetch lets in who may, until it is revoked`,
    async () => {
      const post = 'app.post("/orders", (c) => orders(c.req.raw));';
      const program = [ROUTE, exampleOf("js"), exampleOf("js fetch"), post, begin].join("\n");
      await writeFile(join(folder, `${name}.mjs`), program);
      const child = spawn(runtime ?? "", [...command, `${name}.mjs`], {
        cwd: folder,
        env: surroundings(),
        stdio: ["ignore", "pipe", "inherit"],
      });
      try {
        const [line] = await once(child.stdout.setEncoding("utf8"), "data");
        const url = `http://127.0.0.1:${Number(line)}/orders`;
        const ask = async (headers: Record<string, string>, body?: string) => {
          const method = body === undefined ? "GET" : "POST";
          const answer = await fetch(url, { method, headers, ...(body && { body }) });
          return [answer.status, ((await answer.json()) as { client?: string }).client];
        };
        const signed = (body: string) => {
          const bytes = new TextEncoder().encode(body);
          const toSign = { method: "POST", url: new URL("/orders", API), body: bytes };
          return signRequest(issuer.signatureKey, toSign, issuer.server.now());
        };
        const token = await issuer.token();
        const bearer = { authorization: `Bearer ${token}` };
        const allowed = [200, issuer.client.clientId];
        expect(await ask({})).toEqual([401, undefined]);
        expect(await ask(bearer)).toEqual(allowed);
        expect(await ask({ ...bearer, "x-api-key": issuer.apiKey })).toEqual([400, undefined]);
        expect(await ask({ "x-api-key": issuer.apiKey })).toEqual(allowed);
        expect(await ask(await signed("as signed"), "as signed")).toEqual(allowed);
        expect(await ask(await signed("as signed"), "otherwise")).toEqual([401, undefined]);
        await issuer.server.postAs(issuer.client, "/oauth2/revoke", { token });
        await expect.poll(() => ask(bearer)).toEqual([401, undefined]);
      } finally {
        child.kill("SIGKILL");
      }
    },
  );
}
