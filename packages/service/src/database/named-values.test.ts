import { expect, test } from "vitest";

import { namedValues } from "./named-values.ts";

test("each value has the place of its column's name", () => {
  expect(namedValues({ name: "a", scopes: [] })).toEqual({
    columns: "name, scopes",
    places: "$1, $2",
    assignments: "name = $1, scopes = $2",
    values: ["a", []],
  });
  expect(namedValues({ name: null, at: 1 }, 2)).toMatchObject({
    places: "$2, $3",
    assignments: "name = $2, at = $3",
    values: [null, 1],
  });
});
