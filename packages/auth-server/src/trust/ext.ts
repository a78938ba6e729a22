/**
 * Claims that a rule carries along: `ext` with templates, which stand for claims of the assertion. A rule
 * promises its claims to services, so what lacks one of them is not let in.
 */
import type { Ext, ExtValue } from "@daykey/common/access-token";
import type { JsonObject } from "@daykey/common/json-numbers";
import { extFault, isTooLong, TEMPLATE_OPENS, textsIn } from "../clients/ext.ts";
import { claimAt, parseClaimPath, textsOf } from "./claims.ts";

const TEMPLATE = /\$\{([^}]*)\}/g;
const TEMPLATE_ALONE = /^\$\{([^}]*)\}$/;

/** Why a rule cannot have these, or undefined. */
export function templateFault(ext: Ext): string | undefined {
  const texts = textsIn(ext);
  const isRead = texts.every((text) => {
    const paths = [...text.matchAll(TEMPLATE)].map(([, path = ""]) => path);
    return !text.replaceAll(TEMPLATE, "").includes(TEMPLATE_OPENS) && paths.every(parseClaimPath);
  });
  return isRead
    ? extFault(ext)
    : "must have the name of a claim, or a JSON Pointer to one, in each ${…}";
}

/** The claims of one token; or why there are none, as a reason for the log, and the path of which claim. */
export function fillTemplates(
  ext: Ext,
  claims: JsonObject,
): { ext: Ext } | { reason: string; claim?: string } {
  const missing: string[] = [];
  const found = <T extends string | readonly string[]>(
    path: string,
    text: T | undefined,
  ): T | "" => {
    if (text === undefined) missing.push(path);
    return text ?? "";
  };
  const fillText = (text: string): string | readonly string[] => {
    const [, alone] = TEMPLATE_ALONE.exec(text) ?? [];
    if (alone !== undefined) return found(alone, textOf(claims, alone));
    return text.replaceAll(TEMPLATE, (_whole, path: string) => {
      const one = textOf(claims, path);
      return found(path, typeof one === "string" ? one : undefined);
    });
  };
  const fill = (value: ExtValue): ExtValue => {
    if (typeof value === "string") return fillText(value);
    if (Array.isArray(value)) return value.map(fill);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, fill(each)]));
  };
  const filled = fill(ext) as Ext;
  const [claim] = missing;
  if (claim !== undefined) return { reason: "ext_claim_missing", claim };
  return isTooLong(filled) ? { reason: "ext_too_long" } : { ext: filled };
}

/**
 * A claim as conditions read it: text, a whole number or a boolean as it is written, or a list of such.
 * Undefined where it is absent or anything else.
 */
function textOf(claims: JsonObject, path: string): string | readonly string[] | undefined {
  const parsed = parseClaimPath(path);
  const value = parsed && claimAt(claims, parsed);
  if (value === undefined) return undefined;
  const texts = textsOf(value);
  if (Array.isArray(value)) return texts.length === value.length ? texts : undefined;
  return texts[0];
}
