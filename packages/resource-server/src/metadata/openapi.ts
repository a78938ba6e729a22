/** The OpenAPI 3.1 document of this resource, made from the schemas that its routes validate with. */
import { type ProblemCode, PROBLEMS } from "@daykey/common/problems";
import { JSON_MEDIA_TYPE, PROBLEM_MEDIA_TYPE } from "@daykey/common/media-types";
import { PATHS } from "@daykey/common/protocol";
import {
  createSchemas,
  type Json,
  parametersIn,
  problemView,
  refOf,
  type SchemaOf,
} from "@daykey/service/http/openapi";
import { SENTENCES } from "../seed/sentences.ts";
import { COMPONENTS, type Operation, OPERATIONS, SCOPES } from "./operations.ts";

const DESCRIPTION = `The time, and primes up to 4,096 bits, for clients of a Daykey auth-server.

**To try it here**, press *Authorize* and give a client's id and secret (the page gets an access token
from the auth-server and sends it along), or an access token, or an API key. One of them is enough.

Integers are exact: JSON numbers of any length, or strings of digits for programs whose JSON parser
rounds. Errors are problems (RFC 9457), those of the articles' routes excepted.`;

/** For each failure: its description, and a problem that really occurs. */
const FAILURES: Record<number, [description: string, code: ProblemCode]> = {
  400: ["The request is not acceptable", "invalid-request"],
  401: ["No credential, or one that is not good here", "invalid-token"],
  403: ["The credential lacks the scope", "insufficient-scope"],
  404: ["There is no such prime", "no-such-prime"],
  413: ["The body is too large", "body-too-large"],
  415: ["The body is not JSON in UTF-8", "unsupported-media-type"],
  429: ["A quota is used up", "quota-exceeded"],
  503: ["The server cannot answer now", "prime-checks-busy"],
};

const HEADERS = {
  "WWW-Authenticate": {
    description:
      "What credential is needed, and where tokens are had (RFC 9110 §11.6.1, RFC 9728 §5.1)",
    schema: { type: "string" },
  },
  "Retry-After": {
    description: "Seconds after which to try again (RFC 9110 §10.2.3)",
    schema: { type: "integer", minimum: 0 },
  },
  RateLimit: {
    description: "What is left of each quota, if there is one, and for how long",
    schema: { type: "string" },
  },
  "RateLimit-Policy": {
    description: "The quotas that were counted, if there are any",
    schema: { type: "string" },
  },
};

/** Which of them an answer of a status may have. */
const HEADERS_OF: Record<number, (keyof typeof HEADERS)[]> = {
  200: ["RateLimit", "RateLimit-Policy"],
  400: ["WWW-Authenticate"],
  401: ["WWW-Authenticate"],
  403: ["WWW-Authenticate"],
  429: ["Retry-After", "RateLimit", "RateLimit-Policy"],
  503: ["Retry-After"],
};

export function createOpenApiDocument({ issuer }: { issuer: string }): Json {
  const { schemaOf, schemas } = createSchemas({ ...COMPONENTS, Problem: problemView });
  const paths: Record<string, Json> = {};
  for (const operation of OPERATIONS) {
    const { path, method } = operation;
    paths[path] = { ...paths[path], [method]: describe(operation, schemaOf) };
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "Daykey time and primes",
      version: "1",
      description: DESCRIPTION,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    // Relative to where the document was fetched.
    servers: [{ url: "/" }],
    tags: [
      { name: "time", description: "What time it is, anywhere" },
      { name: "primes", description: "Is it prime, and how is that known" },
      { name: "articles", description: "The same in the shape of the articles Daykey grew from" },
    ],
    paths,
    components: {
      securitySchemes: {
        accessToken: {
          type: "http",
          scheme: "bearer",
          description: "An access token that you have already",
        },
        apiKey: { type: "apiKey", in: "header", name: "X-Api-Key", description: "An API key" },
        // The page puts the focus into the last one.
        client: {
          type: "oauth2",
          description: "A client's id and secret, for which the auth-server gives an access token",
          flows: { clientCredentials: { tokenUrl: `${issuer}${PATHS.token}`, scopes: SCOPES } },
        },
      },
      headers: HEADERS,
      schemas,
    },
  };
}

function describe(operation: Operation, schemaOf: SchemaOf): Json {
  const { operationId, tag, summary, description, scope, params, query, body, answer } = operation;
  return {
    operationId,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    security: [{ client: [scope] }, { accessToken: [] }, { apiKey: [] }],
    parameters: [
      ...parametersIn("path", params ?? {}),
      ...parametersIn("query", query?.shape ?? {}),
    ],
    ...(body && {
      requestBody: {
        required: true,
        content: {
          [JSON_MEDIA_TYPE]: {
            schema: anyOf(body.schemas.map(schemaOf)),
            examples: examplesOf(body.examples),
          },
        },
      },
    }),
    responses: {
      200: {
        description: "Done",
        ...headersOf(200),
        content: {
          [JSON_MEDIA_TYPE]: {
            schema: anyOf(answer.schemas.map(schemaOf)),
            example: answer.example,
          },
        },
      },
      ...Object.fromEntries(failuresOf(operation)),
    },
  };
}

function anyOf(schemas: readonly Json[]): Json {
  const [only] = schemas;
  return only && schemas.length === 1 ? only : { anyOf: schemas };
}

function examplesOf(examples: Readonly<Record<string, unknown>>): Json {
  return Object.fromEntries(
    Object.entries(examples).map(([summary, value], index) => [
      `example${index + 1}`,
      { summary, value },
    ]),
  );
}

function failuresOf({ body, failures = [], isArticle }: Operation): [number, Json][] {
  const all = [400, 401, 403, 429, 503, ...(body ? [413, 415] : []), ...failures];
  return all.map((status) => {
    const [description, code] = FAILURES[status] ?? ["", "invalid-request"];
    const [, title] = PROBLEMS[code];
    const schema = { $ref: refOf(isArticle === true ? "ArticleFailure" : "Problem") };
    const content =
      isArticle === true
        ? { [JSON_MEDIA_TYPE]: { schema, example: { error: SENTENCES[status] ?? title } } }
        : {
            [PROBLEM_MEDIA_TYPE]: {
              schema,
              example: { type: `urn:daykey:problem:${code}`, title, status },
            },
          };
    return [status, { description, ...headersOf(status), content }];
  });
}

function headersOf(status: number): Json {
  const names = HEADERS_OF[status];
  if (!names) return {};
  return {
    headers: Object.fromEntries(
      names.map((name) => [name, { $ref: `#/components/headers/${name}` }]),
    ),
  };
}
