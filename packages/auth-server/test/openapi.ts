/** Compares answers with an OpenAPI document: its paths, statuses, media types and schemas. */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";

/** What was parsed, for assertions to say what it should be. */
export type Json = ReturnType<typeof JSON.parse>;

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

export function createOpenApiCheck(document: Json): OpenApiCheck {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  const compiled = new Map<Json, ValidateFunction>();
  const seen = new Set<string>();

  function validatorOf(schema: Json): ValidateFunction {
    const known = compiled.get(schema);
    if (known) return known;
    const made = ajv.compile({ ...schema, components: document.components });
    compiled.set(schema, made);
    return made;
  }

  return {
    seen,
    faultOf({ method, path, status, contentType, body }) {
      const template = Object.keys(document.paths).find((candidate) =>
        new RegExp(`^${candidate.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path),
      );
      const verb = method.toLowerCase();
      const operation = template && document.paths[template][verb];
      if (!operation) return undefined;
      seen.add(operation.operationId);
      const response = operation.responses[status];
      const name = `${method} ${template} ${status}`;
      if (!response) return `${name} is not described`;
      if (!response.content) return body === undefined ? undefined : `${name} has a body`;
      const [type = ""] = (contentType ?? "").split(";");
      if (!response.content[type]) return `${name} is ${type}`;
      const validate = validatorOf(response.content[type].schema);
      return validate(body) ? undefined : `${name}: ${ajv.errorsText(validate.errors)}`;
    },
  };
}
