/** Claims for services as they are typed and shown: a JSON object. */
import { InvalidArgumentError } from "@commander-js/extra-typings";
import { type JsonObject, readJsonObject, stringifyJson } from "@daykey/common/json-numbers";

/** The server judges what stands in it. A number that would not arrive as it is written is refused here. */
export function extOption(text: string): object {
  const isObject = readJsonObject(text) !== undefined;
  const ext: unknown = isObject ? JSON.parse(text, exact) : undefined;
  if (typeof ext === "object" && ext !== null) return ext;
  throw new InvalidArgumentError(`Write a JSON object, such as '{"tenant":"acme"}'.`);
}

function exact(_name: string, value: unknown): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError("A number is whole and below 2^53; write others as text.");
}

/** An object in an answer, where integers are bigints. */
export function extText(ext: object): string {
  return stringifyJson(ext as JsonObject);
}
