import { expect, test } from "vitest";
import { extOption, extText } from "./ext-option.ts";

test("--ext is a JSON object, as it is written", () => {
  const text =
    '{"tenant":"acme","plan":{"level":3,"of":["a",true,null]},"repository":"${repository}"}';
  expect(extText(extOption(text))).toBe(text);
  expect(extText({ level: 9007199254740993n })).toBe('{"level":9007199254740993}');
});

test.each([
  ["", "Write a JSON object"],
  ["tenant=acme", "Write a JSON object"],
  ["[]", "Write a JSON object"],
  ["null", "Write a JSON object"],
  ['{"a":1,"a":2}', "Write a JSON object"],
  ['{"a":"\\ud800"}', "Write a JSON object"],
  ['{"a":"\\u0000"}', "Write a JSON object"],
  ['{"a":9007199254740993}', "A number is whole"],
  ['{"a":0.5}', "A number is whole"],
  ['{"a":1e400}', "A number is whole"],
])("--ext %j is refused", (text, words) => {
  expect(() => extOption(text)).toThrow(words);
});
