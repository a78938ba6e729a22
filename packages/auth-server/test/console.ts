/** The console of a test server, as a browser without scripts meets it. */
import { createTestAdmin, type TestAdmin } from "./admin.ts";
import type { TestAuthServer } from "./auth-server.ts";

export interface TestConsole {
  admin: TestAdmin;
  origin: string;
  /** `name=value` of the session's cookie. */
  cookie: string;
  get(path: string, headers?: Record<string, string>): Promise<ConsoleAnswer>;
  /** Sends a form; by default as a browser does from the console's own page. */
  post(
    path: string,
    fields: Record<string, string>,
    headers?: Record<string, string>,
  ): Promise<ConsoleAnswer>;
  /** The hidden fields of the form on a page that is sent to `action`. */
  formOf(page: string, action: string): Promise<Record<string, string>>;
}

export interface ConsoleAnswer {
  status: number;
  headers: Headers;
  text: string;
}

/** What an admin's program is given. */
export async function linkOf(admin: TestAdmin): Promise<string> {
  const made = await admin.post("/console/links");
  if (made.status !== 201) throw new Error(`no link: ${made.text}`);
  return new URL(String(made.body.path), "http://x").searchParams.get("link") ?? "";
}

/** Signed in, unless `cookie` says otherwise. */
export async function openConsole(server: TestAuthServer): Promise<TestConsole> {
  const admin = await createTestAdmin(server);
  const origin = server.privateUrl;
  const send = async (path: string, init: RequestInit): Promise<ConsoleAnswer> => {
    const response = await fetch(origin + path, { redirect: "manual", ...init });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const link = await linkOf(admin);
  const entered = await send("/console/enter", {
    method: "POST",
    headers: { origin },
    body: new URLSearchParams({ link }),
  });
  const cookie = (entered.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  const get: TestConsole["get"] = async (path, headers = {}) =>
    send(path, { headers: { cookie, ...headers } });
  return {
    admin,
    origin,
    cookie,
    get,
    post: async (path, fields, headers = {}) =>
      send(path, {
        method: "POST",
        headers: { cookie, origin, "sec-fetch-site": "same-origin", ...headers },
        body: new URLSearchParams(fields),
      }),
    async formOf(page, action) {
      const { text } = await get(page);
      const from = text.indexOf(`action="${action}"`);
      if (from === -1) throw new Error(`no form for ${action} on ${page}`);
      const own = text.slice(from, text.indexOf("</form>", from));
      const hidden = own.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)"/g);
      return Object.fromEntries([...hidden].map(([, name = "", value = ""]) => [name, value]));
    },
  };
}
