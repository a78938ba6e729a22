/**
 * What `GET /time` takes and answers. The query is validated with these, the API's description is made
 * from them, and the tests hold the answers against them.
 */
import { z } from "zod";

export const TIME_FORMATS = ["rfc3339", "datetime", "http-date", "unix", "unix-ms"] as const;
export type TimeFormat = (typeof TIME_FORMATS)[number];

const nonce = z
  .string()
  .regex(/^[\x21-\x7e]{1,128}$/, "must be 1 to 128 printable ASCII characters without a space");

export const timeQuery = z.strictObject({
  zone: z
    .string()
    .optional()
    .meta({
      description: "A name of the IANA time zone database; UTC by default",
      examples: ["Europe/Paris"],
    }),
  format: z
    .enum(TIME_FORMATS)
    .optional()
    .meta({
      description:
        "How `formatted` is to be written: rfc3339 and datetime (YYYY-MM-DD HH:MM:SS) in the zone, " +
        "http-date (RFC 9110 §5.6.7) in GMT, unix and unix-ms as whole seconds and milliseconds",
    }),
  nonce: nonce.optional().meta({
    description: "1 to 128 printable ASCII characters without space, answered as they are",
  }),
});

export const timeAnswer = z.strictObject({
  time: z.iso.datetime({ precision: 3 }).meta({ description: "UTC, to the millisecond" }),
  epoch_seconds: z.number().meta({ description: "Seconds since 1970-01-01T00:00:00Z" }),
  zone: z.string().meta({ description: "As it was asked for" }),
  local: z.string().meta({ description: "The same instant as the zone's clocks show it" }),
  formatted: z
    .union([z.string(), z.int()])
    .optional()
    .meta({ description: "The same instant in the format that was asked for" }),
  nonce: nonce.optional().meta({ description: "That of the request" }),
});
export type TimeAnswer = z.infer<typeof timeAnswer>;
