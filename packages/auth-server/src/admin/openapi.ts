/** The OpenAPI 3.1 document of the admin API, made from the routes and schemas that serve it. */
import type { z } from "zod";
import { PROBLEM_MEDIA_TYPE, JSON_MEDIA_TYPE } from "@daykey/common/media-types";
import { MERGE_PATCH_MEDIA_TYPE } from "@daykey/service/http/json-body";
import {
  createSchemas,
  type Json,
  parametersIn,
  plainSchema,
  problemView,
  refOf,
  type SchemaOf,
} from "@daykey/service/http/openapi";
import { PARAMETERS, type ParameterName, type Route } from "./route.ts";

/** Every operation may answer these. */
const COMMON_PROBLEMS = [400, 401, 403, 503];
const BODY_PROBLEMS = [413, 415];

const PROBLEMS: Record<number, string> = {
  400: "The request is not acceptable",
  401: "No access token, or one that is not good here",
  403: "The access token lacks the scope",
  404: "There is no such thing",
  409: "It cannot be so beside what there is",
  412: "It was changed meanwhile: If-Match does not hold",
  413: "The body is too large",
  415: "The body is not JSON in UTF-8",
  428: "If-Match is missing",
  503: "The server cannot answer now",
};

/**
 * @param options.components the schemas that have names
 * @param options.scope what an access token needs
 */
export function createOpenApiDocument({
  routes,
  components,
  prefix,
  scope,
  tokenUrl,
}: {
  routes: readonly Route[];
  components: Readonly<Record<string, z.ZodType>>;
  prefix: string;
  scope: string;
  tokenUrl: string;
}): Json {
  const { schemaOf, schemas } = createSchemas({ ...components, Problem: problemView });

  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const path = `${prefix}${route.path}`;
    paths[path] = { ...paths[path], [route.method]: operationOf(route, schemaOf) };
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "Daykey admin API",
      version: "1",
      description:
        "What an operator does with clients, secrets, resources and keys. Members that are not described are refused.",
    },
    servers: [{ url: "/" }],
    security: [{ accessToken: [scope] }],
    paths,
    components: {
      securitySchemes: {
        accessToken: {
          type: "oauth2",
          flows: { clientCredentials: { tokenUrl, scopes: { [scope]: "All of this API" } } },
        },
      },
      schemas,
    },
  };
}

function operationOf(route: Route, schemaOf: SchemaOf): Json {
  const { operationId, tag, summary, body } = route;
  const mediaTypes = isPatch(route) ? [JSON_MEDIA_TYPE, MERGE_PATCH_MEDIA_TYPE] : [JSON_MEDIA_TYPE];
  return {
    operationId,
    tags: [tag],
    summary,
    parameters: parametersOf(route),
    ...(body && {
      requestBody: {
        required: route.bodyOptional !== true,
        content: Object.fromEntries(mediaTypes.map((type) => [type, { schema: schemaOf(body) }])),
      },
    }),
    responses: {
      [route.status]: answerOf(route, schemaOf),
      ...Object.fromEntries(
        problemsOf(route).map((status) => [
          status,
          {
            description: PROBLEMS[status],
            ...headersOf(status, route),
            content: { [PROBLEM_MEDIA_TYPE]: { schema: { $ref: refOf("Problem") } } },
          },
        ]),
      ),
    },
  };
}

function parametersOf({ path, query, ifMatch }: Route): Json[] {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => ({
    name,
    in: "path",
    required: true,
    schema: plainSchema(PARAMETERS[name as ParameterName]),
  }));
  const inQuery = parametersIn("query", query?.shape ?? {});
  const condition = ifMatch && {
    name: "If-Match",
    in: "header",
    required: ifMatch === "required",
    description: "The ETag that was read",
    schema: { type: "string" },
  };
  return [...inPath, ...inQuery, ...(condition ? [condition] : [])];
}

function answerOf(route: Route, schemaOf: SchemaOf): Json {
  const { status, answer, etag } = route;
  const description = { 200: "Done", 201: "Made", 204: "Done" }[status];
  if (!answer) return { description };
  return {
    description,
    ...(etag === true && { headers: { ETag: { schema: { type: "string" } } } }),
    content: { [JSON_MEDIA_TYPE]: { schema: schemaOf(answer) } },
  };
}

/** RFC 9110 §11.6.1 and §10.2.3. */
function isPatch({ method }: Route): boolean {
  return method.toUpperCase() === "PATCH";
}

function headersOf(status: number, route: Route): Json {
  const name = {
    401: "WWW-Authenticate",
    403: "WWW-Authenticate",
    415: isPatch(route) ? "Accept-Patch" : undefined,
    503: "Retry-After",
  }[status];
  if (name === undefined) return {};
  const schema = name === "Retry-After" ? { type: "integer", minimum: 0 } : { type: "string" };
  return { headers: { [name]: { schema } } };
}

function problemsOf({ body, ifMatch, problems = [] }: Route): number[] {
  return [
    ...COMMON_PROBLEMS,
    ...(body ? BODY_PROBLEMS : []),
    ...(ifMatch ? [412] : []),
    ...(ifMatch === "required" ? [428] : []),
    ...problems,
  ].toSorted((a, b) => a - b);
}
