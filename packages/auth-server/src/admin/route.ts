/**
 * One operation of the admin API as data: what it takes, what it answers and what does it. The router
 * and the OpenAPI document are both made from it, so they cannot disagree.
 */
import { z } from "zod";
import { CLIENT_ID } from "@daykey/common/protocol";
import type { IfMatch } from "./conditions.ts";
import type { Actor } from "./recorder.ts";

const CLIENT_ID_WORDS =
  "must be 1 to 64 of the characters A-Z a-z 0-9 . _ ~ - and begin with a letter or digit";

/** What may stand in a path. */
export const PARAMETERS = {
  client_id: z.string().regex(CLIENT_ID, CLIENT_ID_WORDS),
  kid: z
    .string()
    .regex(/^[\x21-\x7e]{1,128}$/, "must be 1 to 128 printable ASCII characters without a space"),
  /** Names a trusted issuer or a rule. */
  name: z
    .string()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
      "must be 1 to 64 of the characters A-Z a-z 0-9 . _ - and begin with a letter or digit",
    ),
  id: z.string().regex(/^[a-z0-9]{12}$/, "must be 12 lower-case letters and digits"),
  uri: z
    .string()
    .regex(/^[\x21-\x7e]{1,2048}$/, "must be a URI: 1 to 2048 ASCII characters without a space"),
};
export type ParameterName = keyof typeof PARAMETERS;

type NamesIn<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | NamesIn<Rest>
  : never;

/** A request that was authorized, and read into what the route takes. */
export interface Call<Path extends string, Query, Body> {
  actor: Actor;
  params: Readonly<Record<NamesIn<Path>, string>>;
  query: Query;
  body: Body;
  ifMatch: IfMatch | undefined;
}

export interface Answer {
  body?: object;
  /** The entity tag of the answer (RFC 9110 §8.8.3), with its quotes. */
  etag?: string;
  /** Path of what was made. */
  location?: string;
}

interface Description {
  method: "get" | "post" | "put" | "patch" | "delete";
  /** Its name in OpenAPI, and in the log as the action. */
  operationId: string;
  tag: string;
  summary: string;
  /** Whether a body may be left out. */
  bodyOptional?: boolean;
  ifMatch?: "required" | "optional";
  status: 200 | 201 | 204;
  /** What is answered; none with 204. */
  answer?: z.ZodType;
  /** Whether the answer has an ETag. */
  etag?: boolean;
  /** Statuses of problems that are this operation's own: 404, 409. */
  problems?: readonly number[];
}

export interface Route extends Description {
  path: string;
  query: z.ZodObject | undefined;
  body: z.ZodType | undefined;
  handle(call: Call<string, unknown, unknown>): Promise<Answer>;
}

/** The definition as a route, its `handle` typed by path, query and body. */
export function route<
  const Path extends string,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodType,
>(
  definition: Description & {
    path: Path;
    query?: Query;
    body?: Body;
    handle(call: Call<Path, z.output<Query>, z.output<Body>>): Promise<Answer>;
  },
): Route {
  const { query, body } = definition;
  return {
    ...definition,
    query,
    body,
    handle: async (call) => definition.handle(call as Call<Path, z.output<Query>, z.output<Body>>),
  };
}
