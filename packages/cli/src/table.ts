/** Tables for people: aligned by what a terminal shows, and never wider than it. */
import stringWidth from "string-width";
import { facts, type Paint, printable, type Style } from "./output.ts";

export interface Column<T> {
  title: string;
  of: (item: T) => string;
  /** Colours a cell; its width is that of the plain text. */
  style?: (item: T) => Style | undefined;
}

/** What a table is shown on. */
export interface Surface {
  paint: Paint;
  /** In columns of one narrow character; undefined where nothing limits it, as in a file or a pipe. */
  width: number | undefined;
}

const GAP = 2;
/** A column is not cut below this, or it says nothing. */
const LEAST_WIDTH = 8;
const graphemes = new Intl.Segmenter();

/**
 * Columns two spaces apart under their titles, without a trailing space. What is too wide for the surface
 * loses the ends of its widest cells, the first column's last; what would still be too wide is shown as
 * one block of `TITLE  value` for each item instead, with nothing cut.
 */
export function table<T>(
  items: readonly T[],
  columns: readonly Column<T>[],
  { paint, width }: Surface,
): string {
  const titles = columns.map(({ title }) => title);
  const rows = items.map((item) => columns.map(({ of }) => printable(of(item)) || "-"));
  const wanted = titles.map((title, index) =>
    Math.max(...[title, ...rows.map((row) => row[index] ?? "")].map((text) => stringWidth(text))),
  );
  const widths = width === undefined ? wanted : fitted(wanted, width);
  if (widths === undefined) return blocks(titles, rows);

  const line = (cells: readonly string[], style: (index: number) => Style | undefined): string =>
    cells
      .map((whole, index) => {
        const cell = cut(whole, widths[index] ?? 0);
        const kind = style(index);
        const isLast = index === cells.length - 1;
        const padding = isLast ? 0 : Math.max(0, (widths[index] ?? 0) - stringWidth(cell));
        return (kind === undefined ? cell : paint(kind, cell)) + " ".repeat(padding);
      })
      .join(" ".repeat(GAP));
  const head = line(titles, () => "dim");
  const body = rows.map((row, n) => line(row, (index) => columns[index]?.style?.(items[n] as T)));
  return [head, ...body].map((text) => `${text}\n`).join("");
}

/** The widths that fit, or undefined when none do. The first column names the item, so it gives way last. */
function fitted(wanted: readonly number[], available: number): number[] | undefined {
  const widths = wanted.map((width) => Math.min(width, available));
  let excess = widths.reduce((sum, width) => sum + width + GAP, -GAP) - available;
  for (const candidates of [widths.map((_, index) => index).slice(1), [0]]) {
    while (excess > 0) {
      const widest = candidates.toSorted((a, b) => (widths[b] ?? 0) - (widths[a] ?? 0))[0];
      const width = widest === undefined ? 0 : (widths[widest] ?? 0);
      if (widest === undefined || width <= LEAST_WIDTH) break;
      widths[widest] = width - 1;
      excess--;
    }
  }
  return excess > 0 ? undefined : widths;
}

/** Its beginning, of whole characters as people see them, and an ellipsis for the rest. */
function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let kept = "";
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    used += stringWidth(segment);
    if (used > width - 1) break;
    kept += segment;
  }
  return `${kept.trimEnd()}…`;
}

function blocks(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  return rows
    .map((row) => facts(titles.map((title, index) => [title, row[index]] as const)))
    .join("\n");
}
