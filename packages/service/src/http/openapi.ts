/** OpenAPI 3.1 from zod schemas: what the documents of both servers share. */
import { z } from "zod";

export type Json = Record<string, unknown>;

/** A reference to a schema that has a name, or the schema itself. */
export type SchemaOf = (schema: z.ZodType) => Json;

/** RFC 9457. */
export const problemView = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string().optional(),
});

export function refOf(name: string): string {
  return `#/components/schemas/${name}`;
}

/** @param components the schemas that have names */
export function createSchemas(components: Readonly<Record<string, z.ZodType>>): {
  schemaOf: SchemaOf;
  /** The document's `components.schemas`. */
  schemas: Json;
} {
  const names = new Map(Object.entries(components).map(([name, schema]) => [schema, name]));
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(components)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { ...OPTIONS, uri: refOf, io: "input" });
  return {
    schemaOf: (schema) => {
      const name = names.get(schema);
      return name === undefined ? plainSchema(schema) : { $ref: refOf(name) };
    },
    schemas: Object.fromEntries(
      Object.entries(schemas).map(([name, { $schema: _dialect, $id: _id, ...schema }]) => [
        name,
        { ...schema, ...discriminatorOf(components[name], names) },
      ]),
    ),
  };
}

/** Which of its named alternatives a body is, so that a generated client has a type for each. */
function discriminatorOf(
  schema: z.ZodType | undefined,
  names: ReadonlyMap<z.core.$ZodType, string>,
): Json {
  if (!(schema instanceof z.ZodDiscriminatedUnion)) return {};
  const { discriminator: propertyName } = schema.def;
  const mapping = (schema.options as z.ZodObject[]).map((option) => {
    const literal: unknown = option.shape[propertyName];
    const name = names.get(option);
    return literal instanceof z.ZodLiteral && name !== undefined
      ? [String(literal.value), refOf(name)]
      : undefined;
  });
  const known = mapping.filter((pair) => pair !== undefined);
  if (known.length < mapping.length) return {};
  return { discriminator: { propertyName, mapping: Object.fromEntries(known) as Json } };
}

/** As JSON Schema 2020-12, which OpenAPI 3.1 speaks; what is read from a query as what it means. */
export function plainSchema(schema: z.ZodType): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { ...OPTIONS, io: "output" });
  return rest;
}

/** Parameters of a query or a path, by the members of their schema. */
export function parametersIn(
  place: "path" | "query",
  shape: Readonly<Record<string, z.core.$ZodType>>,
): Json[] {
  return Object.entries(shape).map(([name, schema]) => {
    const { description, examples, ...rest } = plainSchema(schema as z.ZodType);
    return {
      name,
      in: place,
      required: place === "path",
      ...(description !== undefined && { description }),
      ...(Array.isArray(examples) && { example: examples[0] as unknown }),
      schema: rest,
    };
  });
}

/** JSON has no bigint, but its integers may be as long. */
const OPTIONS: Pick<z.core.ToJSONSchemaParams, "unrepresentable" | "override"> = {
  unrepresentable: "any",
  override({ zodSchema, jsonSchema }) {
    if (zodSchema instanceof z.ZodBigInt) jsonSchema.type = "integer";
  },
};
