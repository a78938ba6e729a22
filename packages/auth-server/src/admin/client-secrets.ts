/** `/clients/{client_id}/secrets`: rotation by hand, without a moment in which no secret works. */
import { problem } from "@daykey/service/http/problem-error";
import type { AddedSecret } from "../clients/clients-store.ts";
import { formatInstant } from "@daykey/common/clock";
import type { ClientRegistrar, RegisteredSecret } from "../registration/register.ts";
import type { SecretsStore } from "../registration/secrets-store.ts";
import { unknownClient } from "./clients.ts";
import type { Recorder } from "./recorder.ts";
import { route, type Route } from "./route.ts";
import { listOf } from "./schema-parts.ts";
import {
  newSecretView,
  newSecretViewOf,
  rotationBody,
  secretFactsOf,
  secretRequestOf,
  secretView,
  secretViewOf,
} from "./secret-schema.ts";

const tag = "secrets";

export const secretList = listOf(secretView);

export function createSecretRoutes({
  secrets,
  registrar,
  recorder,
}: {
  secrets: SecretsStore;
  registrar: ClientRegistrar;
  recorder: Recorder;
}): Route[] {
  return [
    route({
      method: "get",
      path: "/clients/{client_id}/secrets",
      operationId: "listSecrets",
      tag,
      summary: "A client's secrets, newest first, never the secrets themselves",
      status: 200,
      answer: secretList,
      problems: [404],
      async handle({ params: { client_id: clientId } }) {
        const found = await secrets.list(clientId);
        if (!found) throw unknownClient();
        return { body: { items: found.map(secretViewOf) } };
      },
    }),

    route({
      method: "post",
      path: "/clients/{client_id}/secrets",
      operationId: "addSecret",
      tag,
      summary: "Give a client its next secret, and with it say when the one before ends",
      body: rotationBody,
      status: 201,
      answer: newSecretView,
      problems: [404, 409],
      async handle({ actor, params: { client_id: clientId }, body }) {
        const { overlap_seconds: overlapSeconds, ...wish } = body;
        let made: RegisteredSecret | undefined;
        await registrar.rotateSecret(clientId, secretRequestOf(wish), {
          overlapSeconds,
          async beforeCommit(tx, secret, { shortened }) {
            made = secret;
            const target = `${clientId} ${secret.stored.kid}`;
            const record = recorder({ actor, action: "secret.add", target });
            await record(tx, endingFacts(shortened, "expiresBefore"), {
              ...secretFactsOf(secret),
              ...endingFacts(shortened, "expiresAt"),
            });
          },
        });
        if (!made) throw new Error("added without being recorded");
        return { body: newSecretViewOf(made) };
      },
    }),

    route({
      method: "post",
      path: "/clients/{client_id}/secrets/{kid}/revoke",
      operationId: "revokeSecret",
      tag,
      summary: "End a secret at once, and every grant it opened",
      status: 204,
      problems: [404, 409],
      async handle({ actor, params: { client_id: clientId, kid } }) {
        const target = `${clientId} ${kid}`;
        const record = recorder({ actor, action: "secret.revoke", target });
        const outcome = await secrets.revoke(clientId, kid, async (tx, before, after) =>
          record(tx, secretViewOf(before), secretViewOf(after)),
        );
        if (outcome === "unknown") {
          throw problem("unknown-secret");
        }
        return {};
      },
    }),
  ];
}

/** The end of the secret that another one shortened. */
function endingFacts(
  shortened: AddedSecret["shortened"],
  end: "expiresBefore" | "expiresAt",
): { other: { kid: string; expires_at: string } } | null {
  return shortened
    ? { other: { kid: shortened.kid, expires_at: formatInstant(shortened[end]) } }
    : null;
}
