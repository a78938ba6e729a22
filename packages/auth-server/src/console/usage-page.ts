/** Usage as a picture, drawn here: how often clients were served and refused, day by day. */
import type { z } from "zod";
import type { usagePage, usageView } from "../admin/usage.ts";
import type { Ask, View } from "./endpoint.ts";
import { html, type Html } from "./html.ts";
import { clientLink, empty, field, table } from "./page.ts";

type Count = z.infer<typeof usageView>;

const DAYS = 30;
const DAY_SECONDS = 86_400;
/** They bound what a picture is made of. A count is one client's of a day, resource and scope. */
const MAX_PAGES = 5;
const PAGE_COUNTS = 200;

export const usage: View = async ({ ask, query, now }) => {
  const { client_id: clientId = "", resource = "" } = query;
  const days = Array.from({ length: DAYS }, (_, at) => dayOf(now - (DAYS - 1 - at) * DAY_SECONDS));
  const { counts, isWhole } = await countsOf(ask, { client_id: clientId, resource, from: days[0] });
  const total = sumOf(counts);
  return {
    title: "Usage",
    content: html`<h1>Usage</h1>
      <p class="lead">What resource servers counted in the last ${DAYS} days.</p>
      <form class="filters" method="get" action="/console/usage">
        ${field("client_id", "Client", { value: clientId })}${field("resource", "Resource", { value: resource })}
        <div><button>Show</button></div>
      </form>
      ${
        counts.length === 0
          ? empty("Nothing was counted. Resource servers report about once a minute.")
          : html`<p>
                <span class="key"></span>${total.served} served &nbsp;
                <span class="key refused"></span>${total.refused} refused by a quota
              </p>
              ${chart(days, counts)}
              ${!isWhole && html`<div class="note warn"><p>The picture holds the newest ${MAX_PAGES * PAGE_COUNTS} counts. Choose a client to see all of its own.</p></div>`}
              ${table("By client, the most refused and served first", ["Client", "Served", "Refused"], byClient(counts))}`
      }`,
  };
};

async function countsOf(
  ask: Ask,
  query: Readonly<Record<string, string | undefined>>,
): Promise<{ counts: Count[]; isWhole: boolean }> {
  const counts: Count[] = [];
  let cursor: string | null = "";
  for (let page = 0; page < MAX_PAGES && cursor !== null; page += 1) {
    const found: z.infer<typeof usagePage> = await ask("listUsage", {
      query: { ...query, cursor, limit: String(PAGE_COUNTS) },
    });
    counts.push(...found.items);
    cursor = found.next_cursor;
  }
  return { counts, isWhole: cursor === null };
}

function sumOf(counts: readonly Count[]): { served: number; refused: number } {
  return counts.reduce(
    (sum, { served, refused }) => ({ served: sum.served + served, refused: sum.refused + refused }),
    { served: 0, refused: 0 },
  );
}

const WIDTH = 720;
const HEIGHT = 190;
const BASE = 160;
const LEFT = 8;

/** Bars, each a day: served below, refused on top. The same is said in words for who cannot see it. */
function chart(days: readonly string[], counts: readonly Count[]): Html {
  const sums = days.map((day) => ({ day, ...sumOf(counts.filter((count) => count.day === day)) }));
  const most = Math.max(1, ...sums.map(({ served, refused }) => served + refused));
  const step = (WIDTH - LEFT) / days.length;
  const heightOf = (count: number): number => Math.round((count / most) * (BASE - 24) * 10) / 10;
  const bars = sums.map(({ day, served, refused }, at) => {
    const x = Math.round((LEFT + at * step) * 10) / 10;
    const [low, high] = [heightOf(served), heightOf(refused)];
    return html`<g>
      <title>${day}: ${served} served, ${refused} refused</title>
      <rect
        class="served"
        x="${x}"
        y="${BASE - low}"
        width="${Math.round(step - 4)}"
        height="${low}"
        rx="1" />
      <rect
        class="refused"
        x="${x}"
        y="${BASE - low - high}"
        width="${Math.round(step - 4)}"
        height="${high}"
        rx="1"
    /></g>`;
  });
  const label = `Requests by day, ${days[0]} to ${days.at(-1)}; at most ${most} in a day`;
  return html`<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}">
    <line x1="0" x2="${WIDTH}" y1="24" y2="24" />
    <text x="0" y="18">${most}</text>
    ${bars}
    <line x1="0" x2="${WIDTH}" y1="${BASE}" y2="${BASE}" />
    <text x="${LEFT}" y="${BASE + 18}">${days[0]}</text>
    <text x="${WIDTH}" y="${BASE + 18}" text-anchor="end">${days.at(-1)}</text>
  </svg>`;
}

function byClient(counts: readonly Count[]) {
  const clients = Map.groupBy(counts, ({ client_id: clientId }) => clientId);
  return [...clients]
    .map(([clientId, own]) => ({ clientId, ...sumOf(own) }))
    .toSorted((a, b) => b.refused - a.refused || b.served - a.served)
    .map(({ clientId, served, refused }) => [clientLink(clientId), served, refused]);
}

function dayOf(at: number): string {
  return new Date(at * 1000).toISOString().slice(0, 10);
}
