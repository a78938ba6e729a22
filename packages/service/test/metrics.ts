/** `/metrics` of a server, taken apart. */

export interface Scraped {
  /** Every metric's name, whether it has values yet or not. */
  readonly names: readonly string[];
  /** The values of one metric by its labels, the service's left out: `{a="1",b="2"}` or "". */
  values(name: string): Record<string, number>;
}

export async function scrape(privateUrl: string): Promise<Scraped> {
  const response = await fetch(`${privateUrl}/metrics`);
  if (response.status !== 200) throw new Error(`/metrics said ${response.status}`);
  const lines = (await response.text()).split("\n");
  const names = lines.flatMap((line) => {
    const [, name = "", type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (name === "") return [];
    return type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
  });
  return {
    names,
    values(name) {
      const found = lines.flatMap((line) => {
        const [, labels = "", value] =
          /^(?:[a-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/i.exec(line.startsWith(name) ? line : "") ?? [];
        if (value === undefined || !["{", " "].includes(line[name.length] ?? "")) return [];
        const own = labels.split(",").filter((label) => !/^service=|^$/.test(label));
        return [[own.length === 0 ? "" : `{${own.join(",")}}`, Number(value)] as const];
      });
      return Object.fromEntries(found);
    },
  };
}
