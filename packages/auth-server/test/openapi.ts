/** Compares answers with an OpenAPI document: its paths, statuses, media types and schemas. */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";

type Json = Record<string, any>;

export interface OpenApiCheck {
  /** Why the answer is not as the document says, or undefined. */
  faultOf(answer: {
    method: string;
    path: string;
    status: number;
    contentType: string | null;
    body: unknown;
  }): string | undefined;
  /** Operations that were compared. */
  readonly seen: ReadonlySet<string>;
}

const ID = "https://openapi.test";

export function createOpenApiCheck(document: Json): OpenApiCheck {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema({ $id: ID, ...document });
  const compiled = new Map<string, ValidateFunction>();
  const seen = new Set<string>();

  function validatorAt(pointer: string): ValidateFunction {
    const known = compiled.get(pointer);
    if (known) return known;
    const made = ajv.compile({ $ref: `${ID}#/${pointer}` });
    compiled.set(pointer, made);
    return made;
  }

  return {
    seen,
    faultOf({ method, path, status, contentType, body }) {
      const template = Object.keys(document["paths"] as Json).find((candidate) =>
        new RegExp(`^${candidate.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path),
      );
      const verb = method.toLowerCase();
      const operation = template && document["paths"][template][verb];
      if (!operation) return undefined;
      seen.add(operation.operationId);
      const response = operation.responses[status];
      const name = `${method} ${template} ${status}`;
      if (!response) return `${name} is not described`;
      if (!response.content) return body === undefined ? undefined : `${name} has a body`;
      const [type = ""] = (contentType ?? "").split(";");
      if (!response.content[type]) return `${name} is ${type}`;
      const keys = ["paths", template, verb, "responses", String(status), "content", type, "schema"];
      const pointer = keys
        .map((key) => key.replaceAll("~", "~0").replaceAll("/", "~1"))
        .map(encodeURIComponent)
        .join("/");
      const validate = validatorAt(pointer);
      return validate(body) ? undefined : `${name}: ${ajv.errorsText(validate.errors)}`;
    },
  };
}
