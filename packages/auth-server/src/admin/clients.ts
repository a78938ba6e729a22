/** `/clients`: what an operator decides about clients, and their end. */
import { z } from "zod";
import { problem, type ProblemError } from "@daykey/service/http/problem-error";
import type { ClientRegistrar, RegisteredSecret } from "../registration/register.ts";
import {
  CLIENT_ORDERS,
  type ClientSwitch,
  type RecordClientChange,
  type RegisteredClient,
  type RegistrationsStore,
} from "../registration/registrations-store.ts";
import { randomKid } from "../random-kid.ts";
import type { AuditAction } from "../audit/events.ts";
import { cursorOf, placeOf } from "./client-place.ts";
import {
  changedState,
  type ClientPatch,
  clientPatch,
  clientReplacement,
  type ClientView,
  clientView,
  newClient,
  registrationOf,
  viewOf,
} from "./client-schema.ts";
import { type IfMatch, requireMatch } from "./conditions.ts";
import type { Actor, Recorder } from "./recorder.ts";
import { type Answer, route, type Route } from "./route.ts";
import { DEFAULT_PAGE, flagParameter, pageOf, pageQuery, text } from "./schema-parts.ts";
import { newSecretView, newSecretViewOf, secretFactsOf, secretRequestOf } from "./secret-schema.ts";

const tag = "clients";

export const clientPage = pageOf(clientView);
export const createdClient = z.strictObject({
  client: clientView,
  secret: newSecretView.nullable(),
});

const listQuery = z.strictObject({
  ...pageQuery.shape,
  q: text(200).optional(),
  enabled: flagParameter.optional(),
  scope: text(200).optional(),
  resource: text(2048).optional(),
  sort: z.enum(CLIENT_ORDERS).optional(),
});

const SWITCHES: readonly {
  how: ClientSwitch;
  path: "disable" | "enable" | "revoke-tokens";
  action: AuditAction;
  operationId: string;
  summary: string;
}[] = [
  {
    how: "disable",
    path: "disable",
    action: "client.disable",
    operationId: "disableClient",
    summary: "Refuse a client and end all its tokens, until it is enabled",
  },
  {
    how: "enable",
    path: "enable",
    action: "client.enable",
    operationId: "enableClient",
    summary: "Accept a client again; what was ended stays ended",
  },
  {
    how: "revoke_tokens",
    path: "revoke-tokens",
    action: "client.revoke_tokens",
    operationId: "revokeTokensOfClient",
    summary: "End all tokens of a client; it may get new ones",
  },
];

export function createClientRoutes({
  registrations,
  registrar,
  registeredUri,
  recorder,
}: {
  registrations: RegistrationsStore;
  /** The URI as it is registered, of an equivalent one. */
  registeredUri: (uri: string) => Promise<string>;
  registrar: ClientRegistrar;
  recorder: Recorder;
}): Route[] {
  async function replace(
    clientId: string,
    { actor, ifMatch, body }: { actor: Actor; ifMatch: IfMatch | undefined; body: ClientPatch },
  ): Promise<Answer> {
    const decide: Parameters<RegistrationsStore["change"]>[1] = async (current, tx) => {
      requireMatch(ifMatch, etagOf(current));
      const view = viewOf(current);
      const otherwise = changedState(view, body);
      if (otherwise !== undefined) throw notYours(otherwise);
      const wanted: ClientView = { ...view, ...definedOf(body) };
      if (JSON.stringify(wanted) === JSON.stringify(view)) return undefined;
      const before = registrationOf(clientId, view);
      const registration = await registrar.check(registrationOf(clientId, wanted), { before, tx });
      return JSON.stringify(registration) === JSON.stringify(before) ? undefined : registration;
    };
    const record = recordOf({ actor, action: "client.change", target: clientId });
    const changed = await registrations.change(clientId, decide, record);
    if (changed === "unknown") throw unknownClient();
    return answerOf(changed);
  }
  function recordOf(event: Parameters<Recorder>[0]): RecordClientChange {
    const record = recorder(event);
    return async (tx, before, after) => record(tx, viewOf(before), after ? viewOf(after) : null);
  }

  return [
    route({
      method: "get",
      path: "/clients",
      operationId: "listClients",
      tag,
      summary: "A page of clients, by id or by age",
      query: listQuery,
      status: 200,
      answer: clientPage,
      async handle({ query }) {
        const { sort = "client_id", limit = DEFAULT_PAGE, cursor, q, ...filter } = query;
        const { clients, next } = await registrations.list({
          limit,
          order: sort,
          after: cursor === undefined ? undefined : placeOf(cursor, sort),
          filter: {
            ...filter,
            text: q,
            resource: filter.resource && (await registeredUri(filter.resource)),
          },
        });
        return {
          body: { items: clients.map(viewOf), next_cursor: next ? cursorOf(next, sort) : null },
        };
      },
    }),

    route({
      method: "post",
      path: "/clients",
      operationId: "createClient",
      tag,
      summary: "Register a client, by default with a generated secret, shown once",
      body: newClient,
      status: 201,
      answer: createdClient,
      etag: true,
      problems: [409],
      async handle({ actor, body: { client_id: chosenId, secret, ...registration } }) {
        const clientId = chosenId ?? `${randomKid()}${randomKid()}`;
        const record = recorder({ actor, action: "client.create", target: clientId });
        const request =
          secret === null ? undefined : secretRequestOf(secret ?? { kind: "generated" });
        let made: { client: RegisteredClient; secret: RegisteredSecret | undefined } | undefined;
        await registrar.register(
          registrationOf(clientId, registration),
          request,
          async (tx, first) => {
            const client = await registrations.read(clientId, tx);
            if (!client) throw new Error("the client that was just registered is gone");
            made = { client, secret: first };
            const view = viewOf(client);
            await record(tx, null, { ...view, secret: first ? secretFactsOf(first) : null });
          },
        );
        if (!made) throw new Error("registered without being recorded");
        return {
          body: {
            client: viewOf(made.client),
            secret: made.secret ? newSecretViewOf(made.secret) : null,
          },
          etag: etagOf(made.client),
          location: `/clients/${clientId}`,
        };
      },
    }),

    route({
      method: "get",
      path: "/clients/{client_id}",
      operationId: "readClient",
      tag,
      summary: "A client",
      status: 200,
      answer: clientView,
      etag: true,
      problems: [404],
      async handle({ params: { client_id: clientId } }) {
        const client = await registrations.read(clientId);
        if (!client) throw unknownClient();
        return answerOf(client);
      },
    }),

    route({
      method: "put",
      path: "/clients/{client_id}",
      operationId: "replaceClient",
      tag,
      summary: "Replace all that is decided about a client",
      body: clientReplacement,
      ifMatch: "required",
      status: 200,
      answer: clientView,
      etag: true,
      problems: [404, 409],
      handle: async ({ params, ...call }) => replace(params.client_id, call),
    }),

    route({
      method: "patch",
      path: "/clients/{client_id}",
      operationId: "changeClient",
      tag,
      summary: "Change some members of a client (RFC 7396)",
      body: clientPatch,
      ifMatch: "required",
      status: 200,
      answer: clientView,
      etag: true,
      problems: [404, 409],
      handle: async ({ params, ...call }) => replace(params.client_id, call),
    }),

    route({
      method: "delete",
      path: "/clients/{client_id}",
      operationId: "deleteClient",
      tag,
      summary: "Delete a client and end all it has; its id is never used again",
      ifMatch: "optional",
      status: 204,
      problems: [404, 409],
      async handle({ actor, params: { client_id: clientId }, ifMatch }) {
        const check = (current: RegisteredClient): void => requireMatch(ifMatch, etagOf(current));
        const record = recordOf({ actor, action: "client.delete", target: clientId });
        const outcome = await registrations.remove(clientId, check, record);
        if (outcome === "unknown") throw unknownClient();
        return {};
      },
    }),

    ...SWITCHES.map(({ how, path, action, operationId, summary }) =>
      route({
        method: "post",
        path: `/clients/{client_id}/${path}`,
        operationId,
        tag,
        summary,
        status: 200,
        answer: clientView,
        etag: true,
        problems: [404, 409],
        async handle({ actor, params: { client_id: clientId } }) {
          const record = recordOf({ actor, action, target: clientId });
          const client = await registrations.turn(clientId, how, record);
          if (client === "unknown") throw unknownClient();
          return answerOf(client);
        },
      }),
    ),
  ];
}

export function unknownClient(): ProblemError {
  return problem("unknown-client");
}

function notYours(member: string): ProblemError {
  return problem("read-only-member", { detail: `${member} cannot be changed so.` });
}

function answerOf(client: RegisteredClient): Answer {
  return { body: viewOf(client), etag: etagOf(client) };
}

function etagOf({ version }: RegisteredClient): string {
  return `"${version}"`;
}

/** Without the members that the body left out. */
function definedOf(patch: ClientPatch): Partial<ClientView> {
  const defined = Object.entries(patch).filter(([, value]) => value !== undefined);
  return Object.fromEntries(defined);
}
