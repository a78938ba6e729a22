/** The API page of `npm start` in a browser: a person opens it, authorizes, and asks for the time. */
import { machineTool } from "@daykey/service/test/machine-tool";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CredentialFile, startStack } from "../test/stack.ts";

/** Nothing of Chromium's own goes to the network either. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const BIG = "170141183460469231731687303715884105727";

describe.skipIf(!machineTool("chromium"))("/docs in Chromium", () => {
  let browser: Browser;
  let page: Page;
  let client: CredentialFile;
  let stop: () => Promise<void>;
  /** Where requests went, and what the page complained of. */
  const origins = new Set<string>();
  const complaints: string[] = [];

  beforeAll(async () => {
    const stack = await startStack();
    stop = stack.stop;
    client = await stack.place.credential("demo-client.json");
    browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
    page = await browser.newPage({ viewport: { width: 1280, height: 1400 } });
    page.setDefaultTimeout(15_000);
    page.on("request", (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol !== "data:") origins.add(origin);
    });
    page.on("pageerror", ({ message }) => complaints.push(message));
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
  });
  afterAll(async () => {
    await browser?.close();
    await stop?.();
  });

  test("shows each operation", async () => {
    await page.goto(`${client.resource}/docs`);
    await page.waitForSelector(".opblock");
    expect(await page.title()).toBe("Daykey time and primes: API");
    const shown = await page.locator(".opblock-summary-path").allInnerTexts();
    expect(shown.map((text) => text.replaceAll("\u200B", ""))).toEqual([
      "/time",
      "/primes/{n}",
      "/primes/{n}/next",
      "/primes/{n}/previous",
      "/primes",
      "/get-current-time",
      "/check-prime",
    ]);
  });

  test("without authorization the answer is 401, and is shown", async () => {
    const answer = await call("getTime");
    expect(answer.status).toBe("401");
    expect(JSON.parse(answer.body)).toMatchObject({ status: 401 });
  });

  test("a wrong secret is told, the right one authorizes", async () => {
    await page.click("button.authorize");
    const form = page.locator(".auth-container", { hasText: "clientCredentials" });
    await form.getByLabel("client_id:").fill(client.client_id);
    await form.getByLabel("client_secret:").fill("wrong");
    await form.getByRole("button", { name: "Apply given OAuth2 credentials" }).click();
    await form.locator(".errors").waitFor();
    expect(await form.locator(".errors").innerText()).toContain("Client authentication failed.");
    await form.getByLabel("client_secret:").fill(client.client_secret);
    await form.getByRole("button", { name: "Apply given OAuth2 credentials" }).click();
    await form.getByRole("button", { name: "Remove authorization" }).waitFor();
    await page.locator(".modal-ux-header button").click();
  });

  test("GET /time answers with the time", async () => {
    const { status, body } = await call("getTime");
    expect(status).toBe("200");
    const { time, zone } = JSON.parse(body) as { time: string; zone: string };
    expect(Math.abs(Date.parse(time) - Date.now())).toBeLessThan(60_000);
    expect(zone).toBe("Europe/Paris");
  });

  test("a number beyond a double is shown as it was answered", async () => {
    const { status, body } = await call("getPrime", BIG);
    expect(status).toBe("200");
    expect(body).toContain(BIG);
  });

  test("the examples work as they stand", async () => {
    for (const operation of [
      "getNextPrime",
      "getPreviousPrime",
      "checkPrimes",
      "getCurrentTime",
      "checkPrime",
    ]) {
      const { status } = await call(operation);
      expect(status, operation).toBe("200");
    }
  });

  test("no request left this machine's two servers, and nothing was refused by the page's policy", () => {
    expect([...origins].toSorted()).toEqual([client.issuer, client.resource].toSorted());
    expect(complaints.filter((text) => !/status of 401/.test(text))).toEqual([]);
  });

  /** Opens an operation, executes it, and reads the answer as a person sees it. */
  async function call(operation: string, n?: string): Promise<{ status: string; body: string }> {
    const block = page.locator(`.opblock[id$="-${operation}"]`);
    if ((await block.locator(".opblock-body").count()) === 0) {
      await block.locator(".opblock-summary-control").click();
    }
    if (n !== undefined) await block.locator("tr[data-param-name=n] input").fill(n);
    const clear = block.locator(".btn-clear");
    if ((await clear.count()) > 0) await clear.click();
    await block.locator(".execute").click();
    const live = block.locator(".live-responses-table");
    await live.waitFor();
    return {
      status: (await live.locator("tbody .response-col_status").first().innerText()).trim(),
      body: await live.locator(".highlight-code code, .microlight").first().innerText(),
    };
  }
});
