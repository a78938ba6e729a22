/** The first page: what is wrong now. */
import type { z } from "zod";
import type { endingSecretPage } from "../admin/ending-secrets.ts";
import type { signingKeyList } from "../admin/signing-keys.ts";
import type { View } from "./endpoint.ts";
import { html, type Html, type Part } from "./html.ts";
import { clientLink, empty, table, time } from "./page.ts";

const SHOWN = 20;

export const overview: View = async ({ ask, health }) => {
  const [{ faults, degraded }, ending, keys] = await Promise.all([
    health.state(),
    ask<z.infer<typeof endingSecretPage>>("listEndingSecrets", { query: { limit: `${SHOWN}` } }),
    ask<z.infer<typeof signingKeyList>>("listKeys"),
  ]);
  const hasSigner = keys.items.some(({ state }) => state === "current");
  const wrong: Html[] = [
    ...Object.entries(faults).map(([name, words]) => trouble("bad", `Not ready: ${name}`, words)),
    ...Object.entries(degraded).map(([name, words]) => trouble("warn", `Degraded: ${name}`, words)),
    ...(hasSigner ? [] : [trouble("bad", "Keys", "No signing key is in use.")]),
  ];
  const isWell = wrong.length === 0 && ending.items.length === 0;
  return {
    title: "Overview",
    content: html`<h1>${isWell ? "Nothing is wrong" : "What is wrong now"}</h1>
      <p class="lead">
        ${
          isWell
            ? "The server is ready, its stores answer, and no client's last secret ends within 30 days."
            : wrong.length === 0
              ? "The server is ready and its stores answer. Some clients will soon have no secret."
              : "The server says this of itself, as /readyz does."
        }
      </p>
      ${wrong}
      <h2>Secrets that end</h2>
      ${
        ending.items.length === 0
          ? empty("No client's last secret ends within 30 days.")
          : table(
              "The last secret of each client: when it has ended, the client gets no token.",
              ["Client", "Name", "Ends", "Last used", "State"],
              ending.items.map((secret) => [
                clientLink(secret.client_id),
                html`<bdi>${secret.name}</bdi>`,
                time(secret.expires_at),
                time(secret.last_used_at),
                secret.state === "ended"
                  ? html`<span class="tag bad">ended</span>`
                  : html`<span class="tag warn">ends soon</span>`,
              ]),
            )
      }
      ${ending.next_cursor !== null && html`<p>There are more: <code>daykey secrets ending</code> lists all.</p>`}
      <h2>Whether the audit log is whole</h2>
      <p>
        Each entry is hashed into the next. Reading all of them takes a while on a long log.
        <a href="/console/audit/verify">Check it now</a>
      </p>`,
  };
};

function trouble(look: "bad" | "warn", name: string, words: Part): Html {
  return html`<div class="note ${look}">
    <p><strong>${name}</strong></p>
    <p>${words}</p>
  </div>`;
}
