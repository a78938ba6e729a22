/** The audit log, with what each entry changed. */
import type { z } from "zod";
import type { auditEntry, auditPage, auditVerdict } from "../admin/audit.ts";
import { AUDIT_ACTIONS } from "../audit/events.ts";
import type { View } from "./endpoint.ts";
import { html, type Part } from "./html.ts";
import { choice, empty, field, more, table, time } from "./page.ts";

type Entry = z.infer<typeof auditEntry>;

export const auditList: View = async ({ ask, query }) => {
  const {
    actor = "",
    action = "",
    client_id: clientId = "",
    since = "",
    until = "",
    cursor = "",
  } = query;
  const filter = {
    actor,
    action,
    client_id: clientId,
    since: instantOf(since),
    until: instantOf(until),
  };
  const page = await ask<z.infer<typeof auditPage>>("listAudit", {
    query: { ...filter, cursor, limit: "50" },
  });
  return {
    title: "Audit log",
    content: html`<h1>Audit log</h1>
      <p class="lead">
        Who changed what, newest first. <a href="/console/audit/verify">Check that it is whole</a>
      </p>
      <form class="filters" method="get" action="/console/audit">
        ${field("actor", "Who", { value: actor })}
        ${choice("action", "What", [["", "anything"], ...AUDIT_ACTIONS.map((name) => [name, name] as const)], action)}
        ${field("client_id", "Of the client", { value: clientId })}
        ${field("since", "From the day (UTC)", { value: since.slice(0, 10), type: "date" })}
        ${field("until", "Before the day (UTC)", { value: until.slice(0, 10), type: "date" })}
        <div><button>Show</button></div>
      </form>
      ${
        page.items.length === 0
          ? empty(
              page.next_cursor === null
                ? "No entry is like that."
                : "None on this page. The search goes on on the next one.",
            )
          : table(
              "Entries",
              ["No.", "When", "Who", "What", "Of", "Before and after"],
              page.items.map((entry) => [
                entry.seq,
                time(entry.at),
                html`<code>${entry.actor}</code>`,
                entry.action,
                html`<code>${entry.target}</code>`,
                changesOf(entry),
              ]),
            )
      }
      ${more("/console/audit", filter, page.next_cursor)}`,
  };
};

/** A day of the calendar stands for its beginning; an instant for itself. */
function instantOf(text: string): string {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text;
}

const SHOWN_CHARACTERS = 600;

function changesOf({ detail: { before, after, damage } }: Entry): Part {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  const changed = names.filter((name) => textOf(before?.[name]) !== textOf(after?.[name]));
  return html`${damage !== undefined && html`<span class="tag bad">on a damaged log</span> `}${
    changed.length === 0
      ? html`<span class="soft">nothing to compare</span>`
      : html`<details>
          <summary>${changed.length === 1 ? changed : `${changed.length} members`}</summary>
          <dl>
            ${changed.map(
              (name) =>
                html`<dt>${name}</dt>
                  <dd>
                    ${before && name in before && html`<del class="del">${textOf(before[name])}</del> `}${after && name in after && html`<ins class="ins">${textOf(after[name])}</ins>`}
                  </dd>`,
            )}
          </dl>
        </details>`
  }`;
}

function textOf(fact: unknown): string {
  const text = typeof fact === "string" ? fact : (JSON.stringify(fact) ?? "");
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

export const auditCheck: View = async ({ ask }) => {
  const verdict = await ask<z.infer<typeof auditVerdict>>("verifyAudit");
  return {
    title: "Is the audit log whole?",
    content: verdict.valid
      ? html`<h1>The audit log is whole</h1>
          <p class="lead">All ${verdict.rows} entries are as they were written.</p>
          <dl>
            <dt>The newest hash</dt>
            <dd><code>${verdict.head}</code></dd>
          </dl>
          <p>Keep it elsewhere: it shows later that nothing before it was altered.</p>`
      : html`<h1>The audit log is damaged</h1>
          <div class="note bad" role="alert">
            <p>From entry ${verdict.first_bad_seq} on: ${verdict.reason}.</p>
          </div>`,
  };
};
