/** What the schemas of the admin API share. */
import type { Ext } from "@daykey/common/access-token";
import { z } from "zod";
import { parseInstant } from "@daykey/common/clock";
import { extFault } from "../clients/ext.ts";

/** `\P{Cc}` spelled out: Python's tools, which read this in the OpenAPI document, do not know that. */
// oxlint-disable-next-line no-control-regex -- it is what they are
const NO_CONTROLS = /^[^\u0000-\u001f\u007f-\u009f]*$/;

/** Text for people, or to look for: no control characters, so PostgreSQL takes it. */
export function text(maxLength: number): z.ZodString {
  return z
    .string()
    .min(1)
    .max(maxLength)
    .regex(NO_CONTROLS, "must have no control characters, such as a line break");
}

/**
 * Claims for services. As no schema of members, it keeps names that those drop, such as `__proto__`, so that
 * they are refused.
 */
export const ext = z
  .unknown()
  .superRefine((value, context) => {
    const missing = value === undefined ? "is missing, and must be an object" : undefined;
    const message = missing ?? extFault(value);
    if (message !== undefined) context.addIssue({ code: "custom", message, continue: false });
  })
  // Equal to what is stored, in the eyes of whoever compares objects with their prototypes.
  .overwrite((value) => structuredClone(value))
  .meta({ type: "object", additionalProperties: true }) as unknown as z.ZodType<Ext>;

/** `2026-11-21T12:00:00Z`, perhaps with a fraction. */
export const instant = z.iso.datetime();

const INSTANT_WORDS = "must be a time in UTC such as 2026-11-21T12:00:00Z";

/** An instant in a query, with at most microseconds, which is what PostgreSQL keeps. */
export const instantParameter = z
  .string()
  .regex(/^(?!0000)\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z$/, INSTANT_WORDS)
  .refine((moment) => parseInstant(moment.replace(/\.\d+/, "")) !== undefined, INSTANT_WORDS)
  .meta({ format: "date-time" });

/** A number in a query, where everything is text. */
export function numberParameter(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,9}$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .pipe(z.int().min(min).max(max));
}

export const flagParameter = z
  .enum(["true", "false"])
  .transform((value) => value === "true")
  .pipe(z.boolean());

/** What asks for a page of a list. */
export const pageQuery = z.strictObject({
  limit: numberParameter(1, 200).optional(),
  cursor: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,256}$/, "must be the next_cursor of the page before")
    .optional(),
});

/** The same where a place holds what is long, such as a URI. */
export const longPageQuery = pageQuery.extend({
  cursor: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,4096}$/, "must be the next_cursor of the page before")
    .optional(),
});

export const DEFAULT_PAGE = 50;

export function pageOf<T extends z.ZodType>(item: T) {
  return z.strictObject({ items: z.array(item), next_cursor: z.string().nullable() });
}

export function listOf<T extends z.ZodType>(item: T) {
  return z.strictObject({ items: z.array(item) });
}
