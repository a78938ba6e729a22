/** Clients: the list by search, and one client with its secrets and their rotation. */
import type { z } from "zod";
import type { ClientView } from "../admin/client-schema.ts";
import type { clientPage } from "../admin/clients.ts";
import type { secretList } from "../admin/client-secrets.ts";
import type { resourceList } from "../admin/resources.ts";
import type { newSecretView, SecretView } from "../admin/secret-schema.ts";
import type { View, Visit } from "./endpoint.ts";
import { html, type Html, type Part } from "./html.ts";
import {
  choice,
  clientLink,
  empty,
  field,
  form,
  more,
  type Page,
  table,
  time,
  words,
} from "./page.ts";
import type { Session } from "./sessions.ts";

export const clientList: View = async ({ ask, query }) => {
  const { q = "", scope = "", resource = "", enabled = "", cursor = "" } = query;
  const filter = { q, scope, resource, enabled };
  const page = await ask<z.infer<typeof clientPage>>("listClients", {
    query: { ...filter, cursor, limit: "50" },
  });
  const isFiltered = Object.values(filter).some((value) => value !== "");
  return {
    title: "Clients",
    content: html`<h1>Clients</h1>
      <p class="lead">Programs that may ask for tokens.</p>
      <form class="filters" method="get" action="/console/clients" role="search">
        ${field("q", "Id or name", { value: q, type: "search" })}
        ${field("scope", "Uses the scope", { value: scope })}
        ${field("resource", "Uses the resource", { value: resource })}
        ${choice(
          "enabled",
          "State",
          [
            ["", "any"],
            ["true", "enabled"],
            ["false", "disabled"],
          ],
          enabled,
        )}
        <div><button>Search</button></div>
      </form>
      ${
        page.items.length === 0
          ? empty(
              page.next_cursor !== null
                ? "None on this page. The search goes on on the next one."
                : isFiltered
                  ? html`No client is like that. <a href="/console/clients">Show all</a>`
                  : html`No client yet. <code>daykey clients create</code> makes the first.`,
            )
          : table(
              isFiltered ? "Clients that fit the search, by id" : "All clients, by id",
              ["Client", "Name", "Scopes", "Changed", "State"],
              page.items.map((client) => [
                clientLink(client.client_id),
                html`<bdi>${client.name}</bdi>`,
                words(client.scopes),
                time(client.updated_at),
                stateOf(client),
              ]),
            )
      }
      ${more("/console/clients", filter, page.next_cursor)}`,
  };
};

function stateOf({ enabled }: Pick<ClientView, "enabled">): Html {
  return enabled
    ? html`<span class="tag">enabled</span>`
    : html`<span class="tag bad">disabled</span>`;
}

export const oneClient: View = async ({ session, ask, params }) => {
  const [client, { items: secrets }, { items: resources }] = await Promise.all([
    ask<ClientView>("readClient", { params }),
    ask<z.infer<typeof secretList>>("listSecrets", { params }),
    ask<z.infer<typeof resourceList>>("listResources"),
  ]);
  const path = pathOf(client.client_id);
  const obstacles = obstaclesOf(client, { secrets, resources });
  return {
    title: client.name,
    content: html`<h1><bdi>${client.name}</bdi></h1>
      <p class="lead"><code>${client.client_id}</code> ${stateOf(client)}</p>
      ${
        obstacles.length > 0 &&
        html`<div class="note warn">
          <p><strong>Why it may be refused</strong></p>
          <ul>
            ${obstacles.map((each) => html`<li>${each}</li>`)}
          </ul>
        </div>`
      }
      <dl>
        <dt>Scopes</dt>
        <dd>${words(client.scopes)}</dd>
        <dt>Resources</dt>
        <dd>${words(client.resources)}</dd>
        ${client.resource_scopes?.map(
          ({ resource, scopes }) =>
            html`<dt>Scopes at ${resource}</dt>
              <dd>${scopes.length > 0 ? words(scopes) : html`<span class="soft">none</span>`}</dd>`,
        )}
        <dt>Ways to authenticate</dt>
        <dd>${words(client.auth_methods)}</dd>
        <dt>Grant types</dt>
        <dd>${words(client.grant_types)}</dd>
        <dt>Access tokens</dt>
        <dd>
          ${client.access_token_format},
          ${client.access_token_seconds === null ? "the server's life" : `${client.access_token_seconds} s`}
        </dd>
        <dt>Quotas</dt>
        <dd>${quotasOf(client.quotas)}</dd>
        <dt>Quotas of tokens</dt>
        <dd>${quotasOf(client.token_quotas)}</dd>
        <dt>Claims for services</dt>
        <dd><code>${JSON.stringify(client.ext)}</code></dd>
        <dt>Registered</dt>
        <dd>${time(client.created_at)}</dd>
        <dt>Changed</dt>
        <dd>${time(client.updated_at)}, version ${client.version}</dd>
      </dl>
      <p>
        <a href="/console/usage?client_id=${encodeURIComponent(client.client_id)}">Its usage</a> ·
        <a href="/console/audit?client_id=${encodeURIComponent(client.client_id)}"
          >What was changed</a
        >
        ·
        <a href="/console/trust?client_id=${encodeURIComponent(client.client_id)}"
          >Rules that make it</a
        >
      </p>
      <h2>Rotation</h2>
      ${rotation(session, client.client_id, secrets)}
      <h2>Secrets</h2>
      ${secrets.length === 0 ? empty("It has no secret.") : secretTable(session, client.client_id, secrets)}
      <h2>End access</h2>
      ${
        client.enabled
          ? ""
          : html`<p>
                It is disabled. Enabled again, it may get tokens; what was ended stays ended.
              </p>
              ${form(session, { action: `${path}/enable`, button: "Enable" })} `
      }
      <details>
        <summary>End its tokens</summary>
        <p>
          All tokens of the client are refused within a second, everywhere. It may get new ones at
          once.
        </p>
        ${form(session, { action: `${path}/revoke-tokens`, button: "End all its tokens", look: "danger" })}
      </details>
      ${
        client.enabled &&
        html`<details>
          <summary>Disable it</summary>
          <p>
            All its tokens are refused within a second, and it gets no others until it is enabled.
          </p>
          ${form(session, { action: `${path}/disable`, button: "Disable the client", look: "danger" })}
        </details>`
      }`,
  };
};

function quotasOf(quotas: ClientView["quotas"]): Part {
  if (quotas.length === 0) return html`<span class="soft">none</span>`;
  return html`<ul class="words">
    ${quotas.map(
      ({ limit, window, scope }) =>
        html`<li>
          ${limit} per ${window}${scope !== undefined && html` of <code>${scope}</code>`}
        </li>`,
    )}
  </ul>`;
}

/** What of its registration stands between the client and a token, or a token and its use. */
function obstaclesOf(
  client: ClientView,
  {
    secrets,
    resources,
  }: { secrets: readonly SecretView[]; resources: z.infer<typeof resourceList>["items"] },
): Part[] {
  const known = new Map(resources.map(({ uri, scopes }) => [uri, scopes]));
  const listed = client.resource_scopes;
  const defined = new Set(
    client.resources.flatMap((uri) => {
      const scopes = known.get(uri) ?? [];
      const own = listed?.find(({ resource }) => resource === uri)?.scopes ?? [];
      return listed ? scopes.filter((scope) => own.includes(scope)) : scopes;
    }),
  );
  const needsSecret = client.auth_methods.every((method) => method.startsWith("client_secret"));
  return [
    !client.enabled && "It is disabled.",
    needsSecret &&
      !secrets.some(({ live }) => live) &&
      "None of its secrets works, and it has no other way in.",
    ...client.resources
      .filter((uri) => !known.has(uri))
      .map((uri) => html`The resource <code>${uri}</code> is not registered.`),
    ...client.scopes
      .filter((scope) => !defined.has(scope))
      .map((scope) => html`At none of its resources it has the scope <code>${scope}</code>.`),
  ].filter((each) => each !== false);
}

function rotation(session: Session, clientId: string, secrets: readonly SecretView[]): Html {
  const [newest, ...before] = secrets.filter(({ live }) => live);
  const isRotating = newest !== undefined && before.length > 0;
  const wasUsed = isRotating && newest.last_used_at !== null;
  const path = pathOf(clientId);
  const mark = (isDone: boolean, isNow: boolean): string => (isDone ? "done" : isNow ? "now" : "");
  return html`<ol class="steps">
    <li class="${mark(isRotating, !isRotating)}">
      <strong>Make the next secret</strong> ${
        isRotating
          ? html`<p>
              <code>${newest.kid}</code>, ${time(newest.created_at)}. The one before works on.
            </p>`
          : html`<p>It is shown once. The one before works beside it for as long as you say.</p>
              ${form(session, {
                action: `${path}/secrets`,
                button: "Make the next secret",
                fields: html`<div class="filters">
                  ${choice("overlap_seconds", "The one before works for", OVERLAPS, "604800")}
                </div> `,
              })}`
      }
    </li>
    <li class="${mark(wasUsed, isRotating && !wasUsed)}">
      <strong>Give it to the program</strong> ${
        wasUsed
          ? html`<p>It was first seen in use; last ${time(newest.last_used_at)}.</p>`
          : html`<p>
              ${isRotating ? html`It was not used yet. Uses are written down each minute. <a href="${path}">Look again</a>` : "Then wait here until it was used."}
            </p>`
      }
    </li>
    <li class="${mark(false, wasUsed)}">
      <strong>End the one before</strong> ${
        wasUsed
          ? before.map(
              ({ kid, expires_at: end }) =>
                html`<p>${`By itself it ends at ${end.slice(0, 16).replace("T", " ")} UTC.`}</p>
                  ${form(session, { action: `${path}/secrets/${kid}/revoke`, button: `End ${kid} now`, look: "quiet" })}`,
            )
          : html`<p>When the new one was used, nothing needs the old one.</p>`
      }
    </li>
  </ol>`;
}

const OVERLAPS = [
  ["3600", "an hour"],
  ["86400", "a day"],
  ["604800", "a week"],
  ["2592000", "30 days"],
] as const;

function secretTable(session: Session, clientId: string, secrets: readonly SecretView[]): Html {
  return table(
    "Newest first. The secrets themselves are not kept.",
    ["Secret", "Kind", "Made", "Ends", "Last used", "State", ""],
    secrets.map((secret) => [
      html`<code>${secret.kid}</code>`,
      secret.kind,
      time(secret.created_at),
      time(secret.expires_at),
      time(secret.last_used_at),
      secret.revoked_at !== null
        ? html`<span class="tag bad">ended by hand</span>`
        : secret.live
          ? html`<span class="tag">works</span>`
          : html`<span class="tag warn">over</span>`,
      secret.live &&
        html`<details>
          <summary>End…</summary>
          <p>It and all it opened are refused at once.</p>
          ${form(session, {
            action: `${pathOf(clientId)}/secrets/${secret.kid}/revoke`,
            button: `End ${secret.kid}`,
            look: "danger",
          })}
        </details>`,
    ]),
  );
}

/** A new secret, in the one answer that ever holds it. */
export async function makeSecret({ ask, params, fields }: Visit): Promise<Page> {
  const overlap = Number(fields["overlap_seconds"] ?? Number.NaN);
  const made = await ask<z.infer<typeof newSecretView>>("addSecret", {
    params,
    body: { kind: "generated", ...(Number.isSafeInteger(overlap) && { overlap_seconds: overlap }) },
  });
  return {
    title: "The new secret",
    content: html`<h1>The new secret</h1>
      <p class="lead">
        This is the only time that it is shown. Copy it to the program now, or print this page.
      </p>
      <div class="secret">
        <dl>
          <dt>Client</dt>
          <dd><code>${made.client_id}</code></dd>
          <dt>Secret</dt>
          <dd><code>${made.client_secret}</code></dd>
          <dt>Its id</dt>
          <dd><code>${made.kid}</code></dd>
          <dt>Salt</dt>
          <dd><code>${made.salt}</code></dd>
          <dt>Ends</dt>
          <dd>${time(made.expires_at)}</dd>
        </dl>
      </div>
      <p class="noprint">
        <a class="button" href="${pathOf(made.client_id)}">I have it: to the next step</a>
      </p>`,
  };
}

export function pathOf(clientId: string): string {
  return `/console/clients/${encodeURIComponent(clientId)}`;
}
