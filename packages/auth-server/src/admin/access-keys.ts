/**
 * `/clients/{client_id}/api-keys` and `…/signature-keys`: what a client presents straight to a
 * resource. The two differ in what a key is made of, and in nothing that is done to one.
 */
import type { z } from "zod";
import type { AccessKey, AccessKeyKind } from "../access-keys/access-key.ts";
import type { AccessKeysStore } from "../access-keys/access-keys-store.ts";
import {
  type AccessKeyRegistrar,
  type RecordAccessKey,
  unknownKey,
} from "../access-keys/register.ts";
import type { AuditAction } from "../audit/events.ts";
import {
  apiKeyList,
  apiKeyRotation,
  type KeyRotationBody,
  keyViewOf,
  materialOf,
  newApiKey,
  newApiKeyView,
  type NewKeyBody,
  newKeyViewOf,
  newSignatureKey,
  newSignatureKeyView,
  signatureKeyList,
  signatureKeyRotation,
} from "./access-key-schema.ts";
import { unknownClient } from "./clients.ts";
import type { Actor, Recorder } from "./recorder.ts";
import { route, type Route } from "./route.ts";

const DEFAULT_OVERLAP_SECONDS = 86_400;

interface KeyKind {
  kind: AccessKeyKind;
  segment: "api-keys" | "signature-keys";
  /** As it stands in names of operations. */
  name: "ApiKey" | "SignatureKey";
  words: { one: string; all: string };
  body: z.ZodType<NewKeyBody>;
  rotation: z.ZodType<KeyRotationBody>;
  made: z.ZodType;
  list: z.ZodType;
}

const KINDS: readonly KeyKind[] = [
  {
    kind: "api_key",
    segment: "api-keys",
    name: "ApiKey",
    words: { one: "an API key", all: "API keys" },
    body: newApiKey,
    rotation: apiKeyRotation,
    made: newApiKeyView,
    list: apiKeyList,
  },
  {
    kind: "signature_key",
    segment: "signature-keys",
    name: "SignatureKey",
    words: { one: "a key for signed requests", all: "keys for signed requests" },
    body: newSignatureKey,
    rotation: signatureKeyRotation,
    made: newSignatureKeyView,
    list: signatureKeyList,
  },
];

interface Dependencies {
  accessKeys: AccessKeysStore;
  accessKeyRegistrar: AccessKeyRegistrar;
  recorder: Recorder;
}

export function createAccessKeyRoutes(dependencies: Dependencies): Route[] {
  return KINDS.flatMap((kind) => routesOf(kind, dependencies));
}

function routesOf(
  { kind, segment, name, words, body: newBody, rotation, made, list }: KeyKind,
  { accessKeys, accessKeyRegistrar, recorder }: Dependencies,
): Route[] {
  const tag = words.all;
  const path = `/clients/{client_id}/${segment}` as const;
  const action = (what: "create" | "rotate" | "revoke"): AuditAction => `${kind}.${what}`;

  /** A successor is recorded with what became of the key it follows. */
  function recordAdded(actor: Actor, what: "create" | "rotate"): RecordAccessKey {
    return async (tx, added, followed) => {
      const target = `${added.clientId} ${added.id}`;
      await recorder({ actor, action: action(what), target })(
        tx,
        followed ? factsOf(followed) : null,
        factsOf(added),
      );
    };
  }

  return [
    route({
      method: "get",
      path,
      operationId: `list${name}s`,
      tag,
      summary: `A client's ${words.all}, newest first, never the keys themselves`,
      status: 200,
      answer: list,
      problems: [404],
      async handle({ params: { client_id: clientId } }) {
        const keys = await accessKeys.list(clientId, kind);
        if (!keys) throw unknownClient();
        return { body: { items: keys.map(keyViewOf) } };
      },
    }),

    route({
      method: "post",
      path,
      operationId: `create${name}`,
      tag,
      summary: `Make ${words.one} for one resource of a client; what is made here is shown once`,
      body: newBody,
      status: 201,
      answer: made,
      problems: [404, 409],
      async handle({ actor, params: { client_id: clientId }, body }) {
        const { name: keyName, resource, scopes, quotas, days } = body;
        const wish = { clientId, name: keyName, resource, scopes, quotas, days };
        const record = recordAdded(actor, "create");
        const material = materialOf(kind, body);
        return {
          body: newKeyViewOf(await accessKeyRegistrar.create({ ...wish, material }, record)),
        };
      },
    }),

    route({
      method: "post",
      path: `${path}/{id}/rotate`,
      operationId: `rotate${name}`,
      tag,
      summary: `Make the successor of ${words.one}, on the same terms, and say when the old one ends`,
      body: rotation,
      bodyOptional: true,
      status: 201,
      answer: made,
      problems: [404, 409],
      async handle({ actor, params: { client_id: clientId, id }, body }) {
        const { days, overlap_seconds: overlapSeconds = DEFAULT_OVERLAP_SECONDS } = body;
        const successor = await accessKeyRegistrar.rotate(
          { clientId, id, overlapSeconds },
          { days, material: materialOf(kind, body) },
          recordAdded(actor, "rotate"),
        );
        return { body: newKeyViewOf(successor) };
      },
    }),

    route({
      method: "post",
      path: `${path}/{id}/revoke`,
      operationId: `revoke${name}`,
      tag,
      summary: `End ${words.one} at once`,
      status: 204,
      problems: [404],
      async handle({ actor, params: { client_id: clientId, id } }) {
        const record = recorder({ actor, action: action("revoke"), target: `${clientId} ${id}` });
        const outcome = await accessKeys.revoke(clientId, kind, id, async (tx, before, after) =>
          record(tx, factsOf(before), factsOf(after)),
        );
        if (outcome === "unknown") throw unknownKey();
        return {};
      },
    }),
  ];
}

/** Without what tells nothing of a decision. */
function factsOf(key: AccessKey) {
  const { last_used_at: _lastUsed, live: _live, ...facts } = keyViewOf(key);
  return facts;
}
