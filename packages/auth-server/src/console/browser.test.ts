/**
 * The console in Chromium, without scripts: each page and form by keyboard, on a desk and on a phone, in
 * light and dark. With `CONSOLE_PICTURES` it keeps what it saw in that folder.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { machineTool } from "@daykey/service/test/machine-tool";
import axe from "axe-core";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { API, startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";
import { createTestAdmin, type TestAdmin } from "../../test/admin.ts";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
];
const PICTURES = process.env["CONSOLE_PICTURES"];
const DESK = { width: 1180, height: 820 };
const PHONE = { width: 390, height: 844 };

const PAGES: readonly (readonly [path: string, heading: string])[] = [
  ["/console", "What is wrong now"],
  ["/console/clients", "Clients"],
  ["/console/clients/billing", "Billing of the shop"],
  ["/console/resources", "Resources"],
  ["/console/trust", "Trust"],
  ["/console/usage", "Usage"],
  ["/console/audit", "Audit log"],
  ["/console/audit/verify", "The audit log is whole"],
  ["/console/keys", "Keys"],
  ["/console/api", "The admin API"],
];

describe.skipIf(!machineTool("chromium"))("the console in Chromium", () => {
  let server: TestAuthServer;
  let admin: TestAdmin;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  const origins = new Set<string>();
  const complaints: string[] = [];

  beforeAll(async () => {
    server = await startAuthServer();
    admin = await createTestAdmin(server);
    await fill(server, admin);
    browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
    context = await browser.newContext({ viewport: DESK, javaScriptEnabled: false });
    page = await context.newPage();
    page.setDefaultTimeout(15_000);
    page.on("request", (request) => origins.add(new URL(request.url()).origin));
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  /** Presses Tab until what has the focus is called so, then Enter. */
  async function press(name: string): Promise<void> {
    const wanted = page
      .getByRole("link", { name, exact: true })
      .or(page.getByRole("button", { name, exact: true }));
    await wanted.first().waitFor();
    for (let tabs = 0; tabs < 150; tabs += 1) {
      await page.keyboard.press("Tab");
      if ((await page.locator(":focus").and(wanted).count()) > 0) {
        await page.keyboard.press("Enter");
        return;
      }
    }
    throw new Error(`Tab does not reach ${name}`);
  }

  async function picture(name: string): Promise<void> {
    if (PICTURES === undefined) return;
    mkdirSync(PICTURES, { recursive: true });
    await page.screenshot({ path: join(PICTURES, `${name}.png`) });
  }

  test("a link, opened and confirmed by keyboard, signs in at a loopback address", async () => {
    const { body } = await admin.post("/console/links");
    await page.goto(server.privateUrl + String(body.path));
    await picture("enter");
    await press("Sign in");
    await page.getByRole("heading", { name: "What is wrong now" }).waitFor();
    const [cookie] = await context.cookies();
    expect(cookie).toMatchObject({ name: "__Host-daykey-console", secure: true, httpOnly: true });
    await page.goto(server.privateUrl + String(body.path));
    await press("Sign in");
    expect(await page.getByRole("heading", { level: 1 }).innerText()).toBe(
      "This link does not work",
    );
  });

  test.each(PAGES)(
    "%s: a heading, the place in the navigation, a table with its roles",
    async (path, heading) => {
      await page.goto(server.privateUrl + path);
      expect(await page.getByRole("heading", { level: 1 }).innerText()).toBe(heading);
      const current = page.getByRole("navigation").locator("[aria-current=page]");
      expect(await current.count()).toBe(1);
      for (const size of [DESK, PHONE]) {
        await page.setViewportSize(size);
        const tables = await page.locator("table").count();
        expect(await page.getByRole("table").count()).toBe(tables);
        for (const scheme of ["light", "dark"] as const) {
          await page.emulateMedia({ colorScheme: scheme });
          const device = size === PHONE ? "phone" : "desk";
          await picture(`${path.slice(9).replaceAll("/", "-") || "overview"}-${device}-${scheme}`);
        }
      }
      await page.emulateMedia({ colorScheme: "light" });
      await page.setViewportSize(DESK);
    },
  );

  test("no page has a serious fault by axe, or is wider than a phone", async () => {
    const own = await browser.newContext({ viewport: PHONE, bypassCSP: true });
    await own.addCookies((await context.cookies()).map((cookie) => ({ ...cookie })));
    const judged = await own.newPage();
    const faults: string[] = [];
    for (const [path] of [...PAGES, ["/console/enter"], ["/console/clients/nobody"]]) {
      for (const colorScheme of ["light", "dark"] as const) {
        await judged.emulateMedia({ colorScheme });
        await judged.goto(server.privateUrl + path);
        const width = await judged.evaluate("document.documentElement.scrollWidth");
        if (Number(width) > PHONE.width) faults.push(`${path} is ${String(width)} wide`);
        await judged.evaluate(axe.source);
        const found = await judged.evaluate<{ id: string; impact: string; at: string }[]>(
          "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.map(({ id, impact, nodes }) => ({ id, impact, at: nodes[0].html })))",
        );
        for (const { id, impact, at } of found) {
          if (impact === "serious" || impact === "critical")
            faults.push(`${path} ${colorScheme} ${id}: ${at}`);
        }
      }
    }
    await own.close();
    expect(faults).toEqual([]);
  });

  test("a secret is rotated by keyboard: made, waited for, and the old one ended", async () => {
    await page.goto(`${server.privateUrl}/console/clients/billing`);
    await press("Make the next secret");
    await page.getByRole("heading", { name: "The new secret" }).waitFor();
    const secret = await page.locator(".secret code").nth(1).innerText();
    const kid = await page.locator(".secret code").nth(2).innerText();
    expect(secret).toMatch(/^[\w-]{40,}$/);
    await picture("new-secret");
    await press("I have it: to the next step");
    await page.getByText("It was not used yet.").waitFor();
    expect(await page.content()).not.toContain(secret);
    await picture("rotation-waiting");
    await server.database.query(
      `update daykey.secrets set last_used_at = now() where kid = '${kid}'`,
    );
    await press("Look again");
    await page.getByText("It was first seen in use").waitFor();
    const old = await page.getByRole("button", { name: /^End \w{8} now$/ }).innerText();
    await picture("rotation-used");
    await press(old);
    await page.getByText("ended by hand").waitFor();
    const { body } = await admin.get("/clients/billing/secrets");
    expect(
      (body.items as { kid: string; live: boolean }[]).filter(({ live }) => live),
    ).toMatchObject([{ kid }]);
  });

  test("who uses a scope: from the resources, in two steps", async () => {
    await page.goto(`${server.privateUrl}/console`);
    await press("Resources");
    await press("primes:check");
    await page.getByRole("cell", { name: "reports" }).first().waitFor();
    expect(await page.getByRole("cell", { name: "billing" }).count()).toBe(0);
  });

  test("a client is disabled and enabled, and why it may be refused is said", async () => {
    await page.goto(`${server.privateUrl}/console/clients/reports`);
    await page.getByText("Disable it", { exact: true }).focus();
    await page.keyboard.press("Enter");
    await press("Disable the client");
    await page.getByText("It is disabled.", { exact: true }).waitFor();
    await picture("disabled");
    await press("Enable");
    await page.getByText("enabled", { exact: true }).first().waitFor();
    await page.getByRole("link", { name: "What was changed" }).click();
    await page.getByRole("cell", { name: "client.enable" }).first().waitFor();
    const last = (await admin.audit()).at(-1);
    expect(last).toMatchObject({ actor: admin.client.clientId, target: "reports" });
  });

  test("signed out, nothing is shown", async () => {
    await press("Sign out");
    await page.getByRole("heading", { name: "Signed out" }).waitFor();
    await page.goto(`${server.privateUrl}/console/clients`);
    expect(await page.getByRole("heading", { level: 1 }).innerText()).toBe("Sign in");
  });

  test("nothing came from elsewhere, and nothing was refused by the policy", () => {
    expect([...origins]).toEqual([server.privateUrl]);
    expect(complaints.filter((text) => !/status of 40[13]/.test(text))).toEqual([]);
  });
});

/** An installation as it looks after a while. */
async function fill(server: TestAuthServer, admin: TestAdmin): Promise<void> {
  const billing = { client_id: "billing", name: "Billing of the shop" };
  await admin.create({
    ...billing,
    secret: { kind: "generated", days: 20 },
    quotas: [{ limit: 1000, window: "hour" }],
  });
  await admin.create({
    client_id: "reports",
    name: "Reports",
    scopes: ["time:read", "primes:check"],
  });
  await admin.create({
    client_id: "deploy",
    name: "Deployments",
    auth_methods: ["workload"],
    secret: null,
  });
  await admin.post("/clients/deploy/revoke-tokens");
  await admin.post("/trust/issuers", {
    name: "ci",
    iss: "https://ci.example.test",
    key_source: "discovery",
  });
  await admin.post("/trust/rules", {
    name: "main-branch",
    issuer: "ci",
    client_id: "deploy",
    conditions: [
      { claim: "repository", one_of: ["shop/api"] },
      { claim: "ref", glob: "refs/heads/*" },
    ],
  });
  await server.database.query(`
    insert into daykey.usage (day, client_id, resource, scope, served, refused)
    select (now() - n * interval '1 day')::date, c, '${API}', 'time:read',
           300 + ((n * 37) % 11) * 40, case when n % 6 = 0 then 60 else 0 end
    from generate_series(0, 29) n, unnest(array['billing', 'reports']) c`);
  await server.look();
}
