/** What every page of the console is made of. */
import { html, type Html, type Part } from "./html.ts";
import { newId, type Session } from "./sessions.ts";

export interface Page {
  title: string;
  content: Part;
  /** HTTP status; 200 if unset. */
  status?: number;
}

/** Done: the browser is sent on to a page that says what happened (RFC 9110 §15.4.4). */
export interface Onward {
  to: string;
}

const PLACES = [
  ["/console", "Overview"],
  ["/console/clients", "Clients"],
  ["/console/resources", "Resources"],
  ["/console/trust", "Trust"],
  ["/console/usage", "Usage"],
  ["/console/audit", "Audit"],
  ["/console/keys", "Keys"],
  ["/console/api", "API"],
] as const;

/** @param options.session undefined where nobody is signed in @param options.path the place that is open */
export function documentOf(
  { title, content }: Page,
  { session, path, issuer }: { session: Session | undefined; path: string; issuer: string },
): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} · Daykey console</title>
        <link rel="stylesheet" href="/console/style.css" />
        <link rel="icon" href="/console/icon.svg" type="image/svg+xml" />
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header class="top">
          <div class="bar">
            <a class="brand" href="/console">Daykey</a>
            <span class="soft">${issuer}</span>
            ${session && whoIs(session)} ${session && navigation(path)}
          </div>
        </header>
        <main id="main">${content}</main>
      </body>
    </html> `.toString();
}

function whoIs(session: Session): Html {
  return html`<div class="who">
    <span>Signed in as <bdi>${session.rights.client_id}</bdi></span>
    ${form(session, { action: "/console/leave", button: "Sign out", look: "link" })}
  </div>`;
}

function navigation(path: string): Html {
  const isAt = (place: string): boolean =>
    place === "/console" ? path === place : path === place || path.startsWith(`${place}/`);
  return html`<nav aria-label="Console">
    <ul>
      ${PLACES.map(
        ([place, name]) =>
          html`<li>
            <a href="${place}" ${isAt(place) && html` aria-current="page"`}>${name}</a>
          </li>`,
      )}
    </ul>
  </nav>`;
}

/** A form that changes something. It works once: its `once` is another in every page. */
export function form(
  session: Session,
  {
    action,
    button,
    look = "",
    fields,
    label,
  }: { action: string; button: string; look?: string; fields?: Part; label?: string },
): Html {
  return html`<form method="post" action="${action}">
    <input type="hidden" name="form_token" value="${session.formToken}" />
    <input type="hidden" name="once" value="${newId()}" />
    ${fields}<button class="${look}" ${label !== undefined && html` aria-label="${label}"`}>
      ${button}
    </button>
  </form>`;
}

export function hidden(name: string, value: string): Html {
  return html`<input type="hidden" name="${name}" value="${value}" />`;
}

/** On a narrow screen each row stands as a list of names and values, so the roles are said aloud. */
export function table(
  caption: string,
  columns: readonly string[],
  rows: readonly (readonly Part[])[],
): Html {
  return html`<table role="table">
    <caption>
      ${caption}
    </caption>
    <thead role="rowgroup">
      <tr role="row">
        ${columns.map((name) => html`<th role="columnheader" scope="col">${name}</th>`)}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${rows.map(
        (cells) =>
          html`<tr role="row">
            ${cells.map(
              (cell, at) =>
                html`<td role="cell" data-label="${columns[at]}"><div>${cell}</div></td>`,
            )}
          </tr>`,
      )}
    </tbody>
  </table>`;
}

export function empty(sentence: Part): Html {
  return html`<div class="empty"><p>${sentence}</p></div>`;
}

export function words(list: readonly string[]): Html {
  return html`<ul class="words">
    ${list.map((word) => html`<li><code>${word}</code></li>`)}
  </ul>`;
}

export function clientLink(clientId: string): Html {
  return html`<a href="/console/clients/${encodeURIComponent(clientId)}"
    ><code>${clientId}</code></a
  >`;
}

/** An instant of the API as a person reads it, in UTC. */
export function time(instant: string | null): Html {
  if (instant === null) return html`<span class="soft">never</span>`;
  return html`<time datetime="${instant}">${instant.slice(0, 16).replace("T", " ")} UTC</time>`;
}

export function more(
  path: string,
  query: Readonly<Record<string, string>>,
  cursor: string | null,
): Part {
  if (cursor === null) return undefined;
  const search = new URLSearchParams({ ...query, cursor }).toString();
  return html`<p><a class="button quiet" href="${path}?${search}">Next page</a></p>`;
}

export function field(
  name: string,
  label: string,
  { value = "", type = "text" }: { value?: string | undefined; type?: string } = {},
): Html {
  return html`<div>
    <label for="f-${name}">${label}</label
    ><input
      id="f-${name}"
      name="${name}"
      type="${type}"
      value="${value}"
      autocomplete="off"
      spellcheck="false"
    />
  </div>`;
}

export function choice(
  name: string,
  label: string,
  options: readonly (readonly [value: string, words: string])[],
  chosen = "",
): Html {
  return html`<div>
    <label for="f-${name}">${label}</label
    ><select id="f-${name}" name="${name}">
      ${options.map(
        ([value, text]) =>
          html`<option value="${value}" ${value === chosen && html` selected`}>${text}</option>`,
      )}
    </select>
  </div>`;
}
