/** Resources, the server's own keys, and the admin API's own page. */
import type { z } from "zod";
import { PREFIX } from "../admin/app.ts";
import type { resourceList } from "../admin/resources.ts";
import type { signingKeyList } from "../admin/signing-keys.ts";
import type { View } from "./endpoint.ts";
import { html } from "./html.ts";
import { clientLink, form, table, time, words } from "./page.ts";

export const resourcesPage: View = async ({ ask }) => {
  const { items } = await ask<z.infer<typeof resourceList>>("listResources");
  return {
    title: "Resources",
    content: html`<h1>Resources</h1>
      <p class="lead">What tokens are for, and the scopes that each understands.</p>
      ${table(
        "By address",
        ["Resource", "Name", "Scopes", "Its server", ""],
        items.map(({ uri, name, scopes, owner_client_id: owner }) => [
          html`<code>${uri}</code>`,
          html`<bdi>${name}</bdi>`,
          html`<ul class="words">
            ${scopes.map(
              (scope) =>
                html`<li>
                  <a href="/console/clients?scope=${encodeURIComponent(scope)}"
                    ><code>${scope}</code></a
                  >
                </li>`,
            )}
          </ul>`,
          owner === null ? html`<span class="soft">none named</span>` : clientLink(owner),
          html`<a
            href="/console/clients?resource=${encodeURIComponent(uri)}"
            aria-label="Who uses it: ${name}"
            >Who uses it</a
          >`,
        ]),
      )}
      <p class="soft">A scope leads to the clients that have it.</p>`,
  };
};

export const keysPage: View = async ({ session, ask }) => {
  const { items } = await ask<z.infer<typeof signingKeyList>>("listKeys");
  return {
    title: "Keys",
    content: html`<h1>Keys</h1>
      <p class="lead">
        The server's own, in the order of their first use. They change by themselves.
      </p>
      ${table(
        "Never the keys themselves",
        ["Key", "Signs or seals", "Algorithm", "In use from", "State", ""],
        items.map((key) => [
          html`<code>${key.kid}</code>`,
          key.purpose.replaceAll("_", " "),
          key.algorithm,
          time(key.active_at),
          html`<span class="tag ${key.state === "retired" ? "warn" : ""}">${key.state}</span>`,
          html`<details>
            <summary aria-label="Take away… ${key.kid}">Take away…</summary>
            <p>All that it made is refused at once, everywhere.</p>
            ${form(session, {
              action: `/console/keys/${encodeURIComponent(key.kid)}/revoke`,
              button: `Take ${key.kid} away`,
              look: "danger",
            })}
          </details>`,
        ]),
      )}
      <h2>Change the signing key early</h2>
      <p>The next key is published now, and used when validators have had time to fetch it.</p>
      ${form(session, { action: "/console/keys/rotate", button: "Make the next key", look: "quiet" })}`,
  };
};

export const apiPage: View = ({ routes }) => {
  const tags = Map.groupBy(routes, ({ tag }) => tag);
  return Promise.resolve({
    title: "The admin API",
    content: html`<h1>The admin API</h1>
      <p class="lead">
        All that this console does, and more, for programs.
        <a href="${PREFIX}/openapi.json">Its OpenAPI document</a>
      </p>
      <p>
        Each request has an access token of this issuer with the scope <code>daykey:admin</code>.
        <code>daykey</code> asks it for you.
      </p>
      ${[...tags].map(
        ([tag, own]) =>
          html`<h2>${tag}</h2>
            ${table(
              `Operations on ${tag}`,
              ["Request", "What it does", "Answers"],
              own.map(({ method, path, summary, status, problems = [], ifMatch }) => [
                html`<code>${method.toUpperCase()} ${PREFIX}${path}</code>`,
                html`${summary}${ifMatch !== undefined && html` <span class="soft">(If-Match ${ifMatch})</span>`}`,
                words([status, ...problems].map(String)),
              ]),
            )}`,
      )}`,
  });
};
