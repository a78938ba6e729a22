/** `/labels`: which file keeps a client, a resource, a trusted issuer or a rule (docs/how-to/as-code.md). */
import { z } from "zod";
import { LABELLED_KINDS, type Labelled, type LabelsStore } from "../registration/labels-store.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import type { Recorder } from "./recorder.ts";
import { PARAMETERS, route, type Route } from "./route.ts";
import { DEFAULT_PAGE, longPageQuery, pageOf, text } from "./schema-parts.ts";

const tag = "labels";

const labelled = z.strictObject({
  kind: z.enum(LABELLED_KINDS),
  /** A client's id, a resource's URI, the name of an issuer or a rule. */
  id: text(2048),
});

export const labelView = z.strictObject({ ...labelled.shape, label: PARAMETERS.name });
export const labelPage = pageOf(labelView);
export const labelledList = z.strictObject({ items: z.array(labelled).min(1).max(200) });

const PLACE = /^label (client|resource|trust_issuer|trust_rule) ([\x21-\x7E]{1,2048})$/;

export function createLabelRoutes({
  labels,
  recorder,
}: {
  labels: LabelsStore;
  recorder: Recorder;
}): Route[] {
  return [
    route({
      method: "get",
      path: "/labels",
      operationId: "listLabels",
      tag,
      summary: "A page of labels and what carries them, by kind and id",
      query: longPageQuery,
      status: 200,
      answer: labelPage,
      async handle({ query: { limit = DEFAULT_PAGE, cursor } }) {
        const after = cursor === undefined ? undefined : placeOf(cursor);
        const { items, next } = await labels.page({ limit, after });
        return { body: { items, next_cursor: next ? cursorOf(next) : null } };
      },
    }),

    route({
      method: "put",
      path: "/labels/{name}",
      operationId: "setLabel",
      tag,
      summary: "Give things a label, in place of the one they had; what is not there gets none",
      body: labelledList,
      status: 204,
      async handle({ actor, params: { name }, body: { items } }) {
        const record = recorder({ actor, action: "label.set", target: name });
        await labels.set(name, items, async (tx, set) =>
          record(tx, null, { items: set.map(({ kind, id }) => ({ kind, id })) }),
        );
        return {};
      },
    }),
  ];
}

function cursorOf({ kind, id }: Labelled): string {
  return encodeCursor(["label", kind, id]);
}

function placeOf(cursor: string): Labelled {
  const [kind = "client", id = ""] = decodeCursor(cursor, PLACE);
  return { kind: kind as Labelled["kind"], id };
}
