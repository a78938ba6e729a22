/**
 * HTML as a value that cannot be had unescaped: the tag `html` escapes whatever is put into it, and only
 * what it made itself goes in as it is.
 */

export class Html {
  readonly #text: string;

  constructor(strings: readonly string[], values: readonly Part[]) {
    this.#text = strings
      .map((text, at) => text + (at < values.length ? textOf(values[at]) : ""))
      .join("");
  }

  toString(): string {
    return this.#text;
  }
}

/** Nothing is shown of `undefined`, `null` and `false`. */
export type Part = Html | string | number | bigint | undefined | null | false | readonly Part[];

/** For element content and quoted attributes; never for what a script or a style sheet holds. */
export function html(strings: TemplateStringsArray, ...values: readonly Part[]): Html {
  return new Html(strings, values);
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function textOf(value: Part): string {
  if (value === undefined || value === null || value === false) return "";
  if (value instanceof Html) return value.toString();
  if (typeof value === "object") return value.map(textOf).join("");
  return String(value).replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign);
}
