/**
 * The parts of an `insert` or an `update`, from a row whose columns are named: which value goes into
 * which column is not a matter of order. Names come from code and never from a caller.
 *
 * @param from the number of the first parameter
 */
export function namedValues(row: Readonly<Record<string, unknown>>, from = 1) {
  const names = Object.keys(row);
  const places = names.map((_, index) => `$${from + index}`);
  return {
    columns: names.join(", "),
    places: places.join(", "),
    assignments: names.map((name, index) => `${name} = ${places[index]}`).join(", "),
    values: Object.values(row),
  };
}
