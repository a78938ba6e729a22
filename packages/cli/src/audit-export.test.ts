/** `daykey audit export` and `list` against a server that counts what it is asked, and may fail. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDesk, type Desk } from "../test/run-daykey.ts";

const PROGRAM = fileURLToPath(new URL("../bin/daykey.mjs", import.meta.url));

let desk: Desk;
let server: Server;
/** Queries of the list, without the question mark. */
let asked: string[];
/** The first page that is refused. */
let failsAt: number;
const PAGES = 3;
beforeEach(async () => {
  desk = await createDesk();
  asked = [];
  failsAt = Infinity;
  server = createServer((request, response) => {
    const { url = "" } = request;
    request.resume();
    const isToken = url === "/oauth2/token";
    const query = new URL(url, "http://localhost").searchParams;
    const page = Number(query.get("cursor") ?? "0");
    if (!isToken) asked.push(query.toString());
    const isRefused = !isToken && page >= failsAt;
    response.writeHead(isRefused ? 503 : 200, { "content-type": "application/json" });
    const token = { access_token: "at", token_type: "Bearer", expires_in: 600 };
    response.end(JSON.stringify(isRefused ? {} : isToken ? token : pageOf(page)));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const credential = {
    issuer: url,
    token_endpoint: `${url}/oauth2/token`,
    client_id: "admin",
    client_secret: "dks_k3f9a1c2_3oDH4mEVFvp7u7ED6UzpF5eHPrBI5AHumY7UBpOQIJz_0k1H3W",
    salt: "00112233445566778899aabbccddeeff",
    admin_url: url,
  };
  await writeFile(join(desk.folder, "admin.json"), JSON.stringify(credential), { mode: 0o600 });
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await desk.remove();
});

/** The first has nothing, as a page of what is rare. */
function pageOf(page: number): object {
  const entry = (seq: string): object => ({
    seq: JSON.rawJSON(seq),
    at: "2026-11-21T12:00:00.000001Z",
    actor: "admin",
    action: "client.change",
    target: "line\u2028 break",
    detail: { before: { n: 1 }, after: null },
    hash: "00".repeat(32),
  });
  const items = page === 0 ? [] : [entry(`900719925474099${page}`), entry(`${page}`)];
  return { items, next_cursor: page + 1 < PAGES ? `${page + 1}` : null };
}

const run = (line: string) =>
  desk.run(line.split(" "), { env: { DAYKEY_CREDENTIAL_FILE: "admin.json" } });

/** As a shell runs it, with the exit code of `daykey` itself. */
function shell(line: string): Promise<{ code: string; stderr: string }> {
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: desk.folder,
    DAYKEY_CREDENTIAL_FILE: "admin.json",
  };
  const text = line.replaceAll("daykey", `"${process.execPath}" "${PROGRAM}"`);
  return new Promise((resolve) => {
    execFile(
      "bash",
      ["-c", `${text}; echo "\${PIPESTATUS[0]}" >&2`],
      { cwd: desk.folder, env },
      (_, __, stderr) => {
        const lines = stderr.trimEnd().split("\n");
        resolve({ code: lines.pop() ?? "", stderr: lines.join("\n") });
      },
    );
  });
}

test("an export is all pages, one JSON text a line, with exact numbers and nothing checked unsaid", async () => {
  const { code, stdout, stderr } = await run("audit export");
  expect(code, stderr).toBe(0);
  const lines = stdout.split("\n");
  expect(lines.pop()).toBe("");
  expect(lines).toHaveLength(4);
  expect(lines[0]).toMatch(/^\{"seq":9007199254740991,"at":"2026-11-21T12:00:00\.000001Z"/);
  for (const line of lines) {
    expect(JSON.parse(line)).toMatchObject({
      target: "line\u2028 break",
      detail: { before: { n: 1 }, after: null },
      hash: "00".repeat(32),
    });
  }
  expect(asked).toEqual(["limit=200", "limit=200&cursor=1", "limit=200&cursor=2"]);
  expect(stderr).toBe(
    "4 changes, as the server told them. daykey audit verify checks the chain.\n",
  );
});

test("a list goes on past pages without an entry, to the first with one", async () => {
  const { code, stdout } = await run("audit list --json --limit 7");
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ items: [{}, { seq: 1 }], next_cursor: "2" });
  expect(asked).toEqual(["limit=7", "limit=7&cursor=1"]);
  const all = await run("audit list --all");
  expect(all.stdout.split("\n")).toHaveLength(6);
});

test.each(["list", "export"])(
  "audit %s sends its filters as the server takes them",
  async (name) => {
    await run(
      `audit ${name} --actor (set-up) --client billing --action secret.add --since 2026-11-01 --until 2026-11-02T03:04:05.000006Z`,
    );
    const filters = new URLSearchParams(asked[0]);
    filters.delete("limit");
    expect(Object.fromEntries(filters)).toEqual({
      actor: "(set-up)",
      client_id: "billing",
      action: "secret.add",
      since: "2026-11-01T00:00:00Z",
      until: "2026-11-02T03:04:05.000006Z",
    });
    asked.length = 0;
    await run(`audit ${name} --since 7d`);
    const since = Date.parse(new URLSearchParams(asked[0]).get("since") ?? "");
    expect(Math.abs(Date.now() - 7 * 86_400_000 - since)).toBeLessThan(600_000);
  },
);

test.each([
  "--since yesterday",
  "--since 2026-02-30",
  "--until 7",
  "--until -1d",
  "--since 999999999d",
])("a time that is none is refused before anything is asked: %s", async (option) => {
  const { code, stdout, stderr } = await run(`audit export ${option}`);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toContain("Write 2026-11-01, 2026-11-01T12:00:00Z, or 7d for a week ago.");
  expect(asked).toEqual([]);
});

test("an export that is cut says so and does not end well", async () => {
  failsAt = 2;
  const { code, stdout, stderr } = await run("audit export");
  expect(code).toBe(3);
  expect(stdout.trimEnd().split("\n"), stderr).toHaveLength(2);
  expect(stderr).toContain("The export is cut after 2 changes: ");
  failsAt = 0;
  const first = await run("audit export");
  expect([first.code, first.stdout]).toEqual([3, ""]);
  expect(first.stderr).not.toContain("cut after");
});

test("an export that cannot be written is no success, and nothing more is asked for", async () => {
  const full = await shell("daykey audit export > /dev/full");
  expect(full.code).toBe("74");
  expect(full.stderr).toContain("Standard output cannot be written (ENOSPC)");
  expect(full.stderr).not.toContain("changes, as");
  expect(asked).toHaveLength(2);
});

test("a reader that has gone ends an export without a word", async () => {
  const gone = await shell("daykey audit export | true");
  expect(gone.code).toBe("0");
  expect(gone.stderr).toBe("");
  expect(asked.length).toBeLessThan(PAGES);
});
