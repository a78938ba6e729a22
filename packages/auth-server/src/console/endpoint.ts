/**
 * The operator's console: pages made here, plain forms, no script. It asks and changes through the admin
 * API's own operations, in process, so what they check and record stands once.
 */
import { type JsonValue, parseJson } from "@daykey/common/json-numbers";
import { OAuthError } from "@daykey/common/oauth-error";
import { ProblemError, problem } from "@daykey/service/http/problem-error";
import { type AppContext, type AppRouter, createRouter } from "@daykey/service/http/router";
import type { Health } from "@daykey/service/process/health";
import { actorOf, perform } from "../admin/app.ts";
import type { Route } from "../admin/route.ts";
import { readForm } from "../authentication/form.ts";
import type { ChangeWatcher } from "../changes/watcher.ts";
import { ACTIONS } from "./actions.ts";
import { html } from "./html.ts";
import { documentOf, type Onward, type Page } from "./page.ts";
import { VIEWS } from "./views.ts";
import { isFormOf, type Session, SESSION_SECONDS, type Sessions } from "./sessions.ts";
import { ICON, STYLE } from "./style.ts";

const COOKIE = "__Host-daykey-console";
const COOKIE_RULES = "Path=/; Secure; HttpOnly; SameSite=Strict";

const HEADERS = {
  "Cache-Control": "no-store",
  "Content-Security-Policy":
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  // With no-referrer a browser says `Origin: null` in a form of the same origin.
  "Referrer-Policy": "same-origin",
};

/** The names are those that a page gives; a value that is left empty is not sent on. */
type Fields = Readonly<Record<string, string | undefined>>;

/** An operation of the admin API, as the one who is signed in. @throws {ProblemError} as the API answers */
export type Ask = <T>(
  operationId: string,
  wish?: {
    params?: Readonly<Record<string, string>>;
    query?: Fields;
    body?: object;
    ifMatch?: string;
  },
) => Promise<T & { etag: string | undefined }>;

/** What a page is made from. */
export interface Visit {
  session: Session;
  ask: Ask;
  /** The parts of the path that the page names. */
  params: Readonly<Record<string, string>>;
  query: Fields;
  /** What was sent; empty for a page that is only read. */
  fields: Fields;
  health: Pick<Health, "state">;
  routes: readonly Route[];
  now: number;
}

export type View = (visit: Visit) => Promise<Page>;
export type Action = (visit: Visit) => Promise<Page | Onward>;

export function createConsole({
  sessions,
  routes,
  watcher,
  health,
  issuer,
  clock,
}: {
  sessions: Sessions;
  routes: readonly Route[];
  watcher: Pick<ChangeWatcher, "look">;
  health: Pick<Health, "state">;
  issuer: string;
  clock: () => number;
}): AppRouter {
  const operations = new Map(routes.map((route) => [route.operationId, route]));
  const router = createRouter();

  const show = (ctx: AppContext, page: Page, session?: Session): void => {
    ctx.status = page.status ?? 200;
    ctx.set("Content-Type", "text/html; charset=utf-8");
    ctx.body = documentOf(page, { session, path: ctx.path, issuer });
  };

  function askFor(ctx: AppContext, session: Session): Ask {
    const actor = actorOf(session.rights, ctx.state.logFields);
    return async <T>(operationId: string, wish: Parameters<Ask>[1] = {}) => {
      const route = operations.get(operationId);
      if (!route) throw new Error(`no operation ${operationId}`);
      const { params = {}, query = {}, body = {}, ifMatch } = wish;
      const search = new URLSearchParams(
        Object.entries(query).filter((pair): pair is [string, string] => Boolean(pair[1])),
      ).toString();
      // A copy by JSON leaves out what is undefined, as a program would.
      const read = (): Promise<JsonValue> => Promise.resolve(parseJson(JSON.stringify(body)));
      const done = await perform(route, { actor, params, search, ifMatch, body: read }, watcher);
      return { ...(done.body as T), etag: done.etag };
    };
  }

  /** Runs one page, and tells what it throws as a page too. */
  async function answer(ctx: AppContext, run: (session: Session | undefined) => Promise<void>) {
    ctx.set(HEADERS);
    ctx.state.logFields.via = "console";
    let session: Session | undefined;
    try {
      const cookie = ctx.cookies.get(COOKIE);
      session = cookie === undefined ? undefined : await sessions.read(cookie);
      await run(session);
    } catch (error) {
      const told = wordsOf(error);
      if (!told) throw error;
      ctx.state.logFields.error = told.code;
      show(ctx, faultPage(told), session);
    }
  }

  const visitOf = (ctx: AppContext, session: Session, fields: Fields): Visit => ({
    session,
    ask: askFor(ctx, session),
    params: (ctx as unknown as { params: Record<string, string> }).params,
    query: Object.fromEntries(new URLSearchParams(ctx.querystring)),
    fields,
    health,
    routes,
    now: clock(),
  });

  for (const [path, view] of Object.entries(VIEWS)) {
    router.get(path, async (ctx) =>
      answer(ctx, async (session) => {
        if (!session) return show(ctx, SIGNED_OUT);
        show(ctx, await view(visitOf(ctx, session, {})), session);
      }),
    );
  }

  for (const [path, { act, changes }] of Object.entries(ACTIONS)) {
    router.post(path, async (ctx) =>
      answer(ctx, async (session) => {
        requireSameOrigin(ctx);
        if (!session) return show(ctx, SIGNED_OUT);
        const fields = Object.fromEntries(await readForm(ctx.req));
        const { form_token: token = "", once = "", ...others } = fields;
        if (!isFormOf(session, token))
          throw problem(403, { title: "This form is not of your session." });
        if (!/^[A-Za-z0-9_-]{22}$/.test(once))
          throw problem(400, { title: "The form is not whole." });
        if (changes && !(await sessions.isFirst(session, once)))
          return show(ctx, SENT_BEFORE, session);
        const done = await act(visitOf(ctx, session, others));
        if ("to" in done) onward(ctx, done.to);
        else show(ctx, done, session);
      }),
    );
  }

  router.get("/console/enter", async (ctx) =>
    answer(ctx, async () => {
      const { link = "" } = Object.fromEntries(new URLSearchParams(ctx.querystring));
      const owner = sessions.ownerOf(link);
      show(ctx, owner === undefined ? LINK_IS_OVER : enterPage(link, owner));
    }),
  );
  router.post("/console/enter", async (ctx) =>
    answer(ctx, async () => {
      requireSameOrigin(ctx);
      const cookie = await sessions.enter((await readForm(ctx.req)).get("link") ?? "");
      if (cookie === undefined) return show(ctx, LINK_IS_OVER);
      ctx.set("Set-Cookie", `${COOKIE}=${cookie}; Max-Age=${SESSION_SECONDS}; ${COOKIE_RULES}`);
      onward(ctx, "/console");
    }),
  );
  router.post("/console/leave", async (ctx) =>
    answer(ctx, async () => {
      requireSameOrigin(ctx);
      ctx.set("Set-Cookie", `${COOKIE}=; Max-Age=0; ${COOKIE_RULES}`);
      show(ctx, LEFT);
    }),
  );
  fixed(router, "/console/style.css", "text/css; charset=utf-8", STYLE);
  fixed(router, "/console/icon.svg", "image/svg+xml", ICON);
  return router;
}

function fixed(router: AppRouter, path: string, type: string, text: string): void {
  router.get(path, (ctx) => {
    ctx.set("Content-Type", type);
    ctx.set("Cache-Control", "no-cache");
    ctx.body = text;
  });
}

function onward(ctx: AppContext, to: string): void {
  ctx.status = 303;
  ctx.set("Location", to);
  ctx.body = "";
}

/**
 * A change comes from a page of this origin. Browsers say so by `Sec-Fetch-Site` where the connection can
 * be trusted, and by `Origin` everywhere. A program that says neither has the admin API.
 * @throws {ProblemError} 403
 */
function requireSameOrigin({ req: { headers } }: AppContext): void {
  const site = headers["sec-fetch-site"];
  const { origin, host } = headers;
  const isOwn = URL.canParse(origin ?? "") && new URL(origin ?? "").host === host;
  const isSame =
    site === undefined ? isOwn : site === "same-origin" && (origin === undefined || isOwn);
  if (!isSame) throw problem(403, { title: "This was not sent from the console." });
}

interface Told {
  status: number;
  code: string | undefined;
  title: string;
  detail: string | undefined;
}

/** What may be said of an error; the others are the listener's to tell. */
function wordsOf(error: unknown): Told | undefined {
  if (error instanceof ProblemError) {
    const { status, code, title, detail } = error;
    return { status, code, title, detail };
  }
  if (!(error instanceof OAuthError)) return undefined;
  return { status: error.status, code: error.code, title: error.description, detail: undefined };
}

function faultPage({ status, code, title, detail }: Told): Page {
  const isStale = code === "changed-meanwhile";
  return {
    title: "Nothing was changed",
    status,
    content: html`<h1>Nothing was changed</h1>
      <div class="note bad" role="alert">
        <p>${title}</p>
        ${detail !== undefined && detail !== title && html`<p>${detail}</p>`}
        ${isStale && html`<p>Somebody changed it since you opened the page. Open it again to see it as it is now.</p>`}
      </div>
      <p><a href="/console">To the overview</a></p>`,
  };
}

const COMMAND = html`<p>Run this where your admin credential is:</p>
  <p><code>daykey console</code></p>
  <p>It prints a link that works once, within a minute.</p>`;

const SIGNED_OUT: Page = {
  title: "Sign in",
  status: 401,
  content: html`<div class="narrow">
    <h1>Sign in</h1>
    <p class="lead">Nobody is signed in here, or the session has ended.</p>
    ${COMMAND}
  </div>`,
};

const LEFT: Page = {
  title: "Signed out",
  content: html`<div class="narrow">
    <h1>Signed out</h1>
    <p class="lead">This browser has forgotten the session.</p>
    ${COMMAND}
  </div>`,
};

const LINK_IS_OVER: Page = {
  title: "This link does not work",
  status: 403,
  content: html`<div class="narrow">
    <h1>This link does not work</h1>
    <p class="lead">It was used before, is older than a minute, or its admin is none any more.</p>
    <p>
      If you did not use it yourself, somebody else did: disable the admin client, or end its
      tokens.
    </p>
    ${COMMAND}
  </div>`,
};

const SENT_BEFORE: Page = {
  title: "Sent before",
  status: 409,
  content: html`<h1>This form was sent before</h1>
    <div class="note warn" role="alert">
      <p>
        What it asks for was not done a second time. The audit log shows what the first time did.
      </p>
    </div>
    <p><a href="/console/audit">To the audit log</a></p>`,
};

function enterPage(link: string, owner: string): Page {
  return {
    title: "Sign in",
    content: html`<div class="narrow">
      <h1>Sign in</h1>
      <p class="lead">
        As the admin client <code>${owner}</code>, for eight hours, in this browser.
      </p>
      <form method="post" action="/console/enter">
        <input type="hidden" name="link" value="${link}" /><button>Sign in</button>
      </form>
    </div>`,
  };
}
