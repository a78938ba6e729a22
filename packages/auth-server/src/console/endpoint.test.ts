/** The console's rules over HTTP: who is let in, for how long, and which forms do something. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestAdmin } from "../../test/admin.ts";
import { startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";
import { linkOf, openConsole, type TestConsole } from "../../test/console.ts";
import { ACTIONS } from "./actions.ts";
import { VIEWS } from "./views.ts";

const HOSTILE = `<img src=x onerror=alert(1)>"'><script>alert(2)</script>&amp;`;

let server: TestAuthServer;
let at: TestConsole;
beforeAll(async () => {
  server = await startAuthServer();
  at = await openConsole(server);
});
afterAll(() => server.stop());

const pathTo = (pattern: string): string =>
  pattern
    .replace(":client_id", at.admin.client.clientId)
    .replace(":kid", "abcdefgh")
    .replace(":name", "x");

describe("a page", () => {
  test.each(Object.keys(VIEWS))(
    "%s is there for who is signed in, whole and closed",
    async (pattern) => {
      const { status, headers, text } = await at.get(pathTo(pattern));
      expect(status, text).toBe(200);
      expect(text).toContain("</html>");
      expect(text).not.toMatch(/<script|undefined|\[object|style="| on\w+=/);
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("content-security-policy")).toContain("default-src 'none'");
      expect(headers.get("referrer-policy")).toBe("same-origin");
    },
  );

  test.each(Object.keys(VIEWS))("%s tells nothing without a cookie", async (pattern) => {
    const { status, text } = await at.get(pathTo(pattern), { cookie: "" });
    expect(status).toBe(401);
    expect(text).not.toContain(at.admin.client.clientId);
  });

  test.each([
    ["of no server", "AAAA"],
    ["that is empty", ""],
    ["too long", "A".repeat(5000)],
    ["in another alphabet", "%00%ff"],
  ])("a cookie %s is none", async (_which, value) => {
    expect((await at.get("/console", { cookie: `__Host-daykey-console=${value}` })).status).toBe(
      401,
    );
  });

  test("a link is no cookie, and a session is no link", async () => {
    const link = await linkOf(at.admin);
    expect((await at.get("/console", { cookie: `__Host-daykey-console=${link}` })).status).toBe(
      401,
    );
    const session = at.cookie.split("=")[1] ?? "";
    expect((await at.post("/console/enter", { link: session })).status).toBe(403);
  });

  test("an unknown client is told as that", async () => {
    const { status, text } = await at.get("/console/clients/nobody");
    expect(status).toBe(404);
    expect(text).toContain("</html>");
  });

  test.each(["limit=x", "scope=a&scope=b", "cursor=x", "enabled=perhaps", `q=${"x".repeat(300)}`])(
    "the search %s is answered, by a page",
    async (search) => {
      const { status, text } = await at.get(`/console/clients?${search}`);
      expect([200, 400]).toContain(status);
      expect(text).toContain("</html>");
    },
  );
});

describe("O1: a link", () => {
  test("looking at it uses nothing up; it signs in once, and the cookie is a closed one", async () => {
    const link = await linkOf(at.admin);
    expect((await at.get(`/console/enter?link=${link}`)).text).toContain(at.admin.client.clientId);
    const first = await at.post("/console/enter", { link });
    expect([first.status, first.headers.get("location")]).toEqual([303, "/console"]);
    expect(first.headers.get("set-cookie")).toMatch(
      /^__Host-daykey-console=[\w-]+; Max-Age=28800; Path=\/; Secure; HttpOnly; SameSite=Strict$/,
    );
    const second = await at.post("/console/enter", { link });
    expect([second.status, second.headers.get("set-cookie")]).toEqual([403, null]);
  });

  test("ten at once with one link: one is let in", async () => {
    const link = await linkOf(at.admin);
    const answers = await Promise.all(
      Array.from({ length: 10 }, async () => at.post("/console/enter", { link })),
    );
    expect(answers.filter(({ status }) => status === 303)).toHaveLength(1);
  });

  test("another instance over the same database knows that it was used", async () => {
    const other = await startAuthServer({ database: server.database });
    try {
      const link = await linkOf(at.admin);
      expect((await at.post("/console/enter", { link })).status).toBe(303);
      const again = await fetch(`${other.privateUrl}/console/enter`, {
        method: "POST",
        headers: { origin: other.privateUrl },
        body: new URLSearchParams({ link }),
      });
      expect(again.status).toBe(403);
      const there = await fetch(`${other.privateUrl}/console`, { headers: { cookie: at.cookie } });
      expect(there.status).toBe(200);
    } finally {
      await other.stop();
    }
  });

  test("it is over after a minute, and with its admin", async () => {
    const late = await linkOf(at.admin);
    const admin = await createTestAdmin(server);
    const left = await linkOf(admin);
    await at.admin.post(`/clients/${admin.client.clientId}/disable`);
    expect((await at.post("/console/enter", { link: left })).status).toBe(403);
    server.advance(61);
    try {
      expect((await at.post("/console/enter", { link: late })).status).toBe(403);
    } finally {
      server.advance(-61);
    }
  });
});

describe("O3: a form", () => {
  const clientForm = async (): Promise<
    [page: string, action: string, fields: Record<string, string>]
  > => {
    const { clientId } = await server.createClient();
    const page = `/console/clients/${clientId}`;
    const action = `${page}/disable`;
    return [page, action, await at.formOf(page, action)];
  };
  const isEnabled = async (page: string): Promise<boolean> =>
    (await at.get(page)).text.includes(`action="${page}/disable"`);

  test.each([
    ["without a cookie", { cookie: "" }, 401],
    [
      "from another origin",
      { origin: "https://evil.example", "sec-fetch-site": "cross-site" },
      403,
    ],
    [
      "from another origin, old browser",
      { origin: "https://evil.example", "sec-fetch-site": "" },
      403,
    ],
    ["from a sandbox", { origin: "null" }, 403],
    ["from the same site", { "sec-fetch-site": "same-site" }, 403],
    ["typed in", { "sec-fetch-site": "none" }, 403],
  ])("%s does nothing", async (_how, headers, status) => {
    const [page, action, fields] = await clientForm();
    expect((await at.post(action, fields, headers)).status).toBe(status);
    expect(await isEnabled(page)).toBe(true);
  });

  test("that says neither origin nor site does nothing", async () => {
    const [page, action, fields] = await clientForm();
    const sent = await fetch(at.origin + action, {
      method: "POST",
      headers: { cookie: at.cookie },
      body: new URLSearchParams(fields),
    });
    // Node's fetch says neither, or a mode of its own.
    expect(sent.status).toBe(403);
    expect(await isEnabled(page)).toBe(true);
  });

  test.each([
    ["no token", { form_token: "" }, 403],
    ["a made-up token", { form_token: "A".repeat(22) }, 403],
    ["no mark of its own", { once: "" }, 400],
    ["a made-up mark", { once: "x" }, 400],
  ])("with %s does nothing", async (_which, change, status) => {
    const [page, action, fields] = await clientForm();
    expect((await at.post(action, { ...fields, ...change })).status).toBe(status);
    expect(await isEnabled(page)).toBe(true);
  });

  test("of another session does nothing, though it is the same admin's", async () => {
    const [page, action, fields] = await clientForm();
    const other = await openConsole(server);
    expect((await other.post(action, fields)).status).toBe(403);
    expect(await isEnabled(page)).toBe(true);
  });

  test.each(Object.keys(ACTIONS))("%s is refused from elsewhere", async (pattern) => {
    const headers = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };
    expect((await at.post(pathTo(pattern), {}, headers)).status).toBe(403);
  });

  test("sent twice, and ten times at once, makes one secret and says so", async () => {
    const { clientId } = await server.createClient();
    const page = `/console/clients/${clientId}`;
    const fields = await at.formOf(page, `${page}/secrets`);
    const sent = { ...fields, overlap_seconds: "3600" };
    const answers = await Promise.all(
      Array.from({ length: 10 }, async () => at.post(`${page}/secrets`, sent)),
    );
    const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
    expect(statuses).toEqual([200, ...Array.from({ length: 9 }, () => 409)]);
    const { body } = await at.admin.get(`/clients/${clientId}/secrets`);
    expect(body.items).toHaveLength(2);
    const shown = answers.find(({ status }) => status === 200);
    expect(shown?.headers.get("cache-control")).toBe("no-store");
    expect(answers.find(({ status }) => status === 409)?.text).toContain("sent before");
  });

  test("that shows what was changed since is refused, and says so", async () => {
    await at.admin.post("/trust/issuers", {
      name: "ci",
      iss: "https://ci.example.test",
      key_source: "discovery",
    });
    const action = "/console/trust/issuers/ci";
    const stale = await at.formOf("/console/trust", action);
    expect((await at.post(action, await at.formOf("/console/trust", action))).status).toBe(303);
    const { status, text } = await at.post(action, stale);
    expect(status).toBe(412);
    expect(text).toContain("since you opened the page");
  });

  test("O5: is recorded as the admin's own", async () => {
    const [page, action, fields] = await clientForm();
    expect((await at.post(action, fields)).status).toBe(303);
    expect(await isEnabled(page)).toBe(false);
    const last = (await at.admin.audit()).at(-1);
    expect(last).toMatchObject({ actor: at.admin.client.clientId, action: "client.disable" });
    expect(server.lines.findLast((line) => line["change"] === "client.disable")).toMatchObject({
      via: "console",
    });
  });

  test("with a token to explain leaves none in the log", async () => {
    const action = "/console/trust/explain";
    const token = "eyJhbGciOiJub25lIn0.secret-in-a-token.x";
    const fields = await at.formOf("/console/trust", action);
    const { status, text } = await at.post(action, { ...fields, token });
    expect(status, text).toBe(200);
    expect(text).not.toContain("secret-in-a-token");
    expect(JSON.stringify(server.lines)).not.toContain("secret-in-a-token");
  });
});

describe("O2: a session", () => {
  test("is over after eight hours", async () => {
    server.advance(8 * 3600 - 30);
    try {
      await server.look();
      expect((await at.get("/console")).status).toBe(200);
      server.advance(40);
      expect((await at.get("/console")).status).toBe(401);
    } finally {
      server.advance(-8 * 3600 - 10);
    }
  });

  test.each([
    ["is disabled", "/disable", undefined],
    ["has its tokens ended", "/revoke-tokens", undefined],
    ["loses its secret", "/secrets/KID/revoke", undefined],
    ["loses the scope", "", { scopes: ["revocations:read"] }],
    ["is deleted", "", undefined],
  ])("is over when its admin %s", async (_what, path, patch) => {
    const other = await openConsole(server);
    const { clientId, kid } = other.admin.client as { clientId: string; kid: string };
    const client = `/clients/${clientId}`;
    const { etag } = await at.admin.get(client);
    const method = path !== "" ? "POST" : patch ? "PATCH" : "DELETE";
    const headers: Record<string, string> = method === "PATCH" ? { "if-match": etag } : {};
    const done = await at.admin.call(method, client + path.replace("KID", kid), patch, headers);
    expect(done.status, done.text).toBeLessThan(300);
    expect((await other.get("/console")).status).toBe(401);
    expect((await at.get("/console")).status).toBe(200);
  });

  test("is forgotten by the browser that signs out", async () => {
    const { headers } = await at.post("/console/leave", {});
    expect(headers.get("set-cookie")).toMatch(/^__Host-daykey-console=; Max-Age=0; /);
  });
});

test("O4: no name or description is taken for markup, on any page", async () => {
  await at.admin.create({ client_id: "hostile", name: HOSTILE });
  await at.admin.post("/resources", {
    uri: "urn:hostile",
    name: HOSTILE,
    scopes: ["a<b>", "c&d'"],
  });
  await at.admin.post("/trust/rules", {
    name: "hostile",
    issuer: "ci",
    client_id: "hostile",
    conditions: [{ claim: HOSTILE, one_of: [HOSTILE] }],
  });
  const search = encodeURIComponent(HOSTILE);
  const pages = [
    "/console",
    "/console/clients",
    `/console/clients?q=${search}&resource=${search}`,
    `/console/clients/hostile`,
    "/console/resources",
    "/console/trust",
    `/console/usage?resource=${encodeURIComponent("urn:<b>")}`,
    `/console/audit?actor=${encodeURIComponent("<b>'\"")}`,
    "/console/audit",
    `/console/enter?link=${search}`,
  ];
  for (const page of pages) {
    const { text } = await at.get(page);
    expect(text, page).not.toMatch(/<img|<script|<b>/);
  }
  expect((await at.get("/console/clients")).text).toContain("&lt;img src=x onerror=alert(1)&gt;");
});

test("switched off it is nowhere: no page, no operation, no word of it", async () => {
  const other = await startAuthServer({ database: server.database, config: { console: false } });
  try {
    for (const path of ["/console", "/console/enter", "/console/style.css"]) {
      expect((await fetch(other.privateUrl + path)).status).toBe(404);
    }
    const asked = await fetch(`${other.privateUrl}/admin/v1/console/links`, {
      method: "POST",
      headers: { authorization: `Bearer ${at.admin.token}` },
    });
    expect(asked.status).toBe(404);
    expect(await (await fetch(`${other.privateUrl}/`)).text()).not.toContain("console");
    expect((await fetch(`${server.url}/console`)).status).toBe(404);
  } finally {
    await other.stop();
  }
});
