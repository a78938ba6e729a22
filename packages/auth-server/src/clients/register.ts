/**
 * Registering clients and their secrets: the rules an operator's wish must keep, whoever brings it
 * (the admin API, the first start, a test). What is made is told once and kept as verifiers only.
 */
import type { Clock } from "@daykey/common/clock";
import { AUTH_METHODS, CLIENT_ID, GRANT_TYPES } from "@daykey/common/protocol";
import { isScopeToken } from "@daykey/common/scope";
import { ProblemError } from "@daykey/service/problem-error";
import type { ResourcesStore } from "../resources/resources-store.ts";
import type { ClientRegistration } from "./client.ts";
import type { ClientsStore } from "./clients-store.ts";
import type { NewSecret, SecretMaker, SecretRequest } from "./secrets.ts";

/** What the client is told, once. */
export interface IssuedSecret {
  clientId: string;
  kid: string;
  salt: string;
  clientSecret: string;
  /** Epoch seconds. */
  expiresAt: number;
}

export interface ClientRegistrar {
  /**
   * Registers a client with its first secret. `beforeCommit` may keep the secret somewhere: if it
   * fails, nothing was registered.
   * @throws {ProblemError} 400 for a registration that cannot be, 409 for an id that is or was in use
   */
  create(
    registration: ClientRegistration,
    secret: SecretRequest,
    beforeCommit?: (issued: IssuedSecret) => Promise<void>,
  ): Promise<IssuedSecret>;
  /** @throws {ProblemError} 404 without such a client, 409 when it has two live secrets */
  addSecret(clientId: string, secret: SecretRequest): Promise<IssuedSecret>;
}

/** Together they stand in every refresh token, which must fit a token request. */
const MAX_SCOPES_LENGTH = 1024;
const MAX_RESOURCES_LENGTH = 2048;
const MAX_NAME_LENGTH = 200;
const MIN_LIFE_SECONDS = 10;

export function createClientRegistrar({
  clients,
  resources,
  secrets,
  clock,
  limits,
}: {
  clients: ClientsStore;
  resources: ResourcesStore;
  secrets: SecretMaker;
  clock: Clock;
  limits: { accessTokenMaxSeconds: number; refreshAbsoluteMaxSeconds: number };
}): ClientRegistrar {
  async function checkRegistration(registration: ClientRegistration): Promise<void> {
    const { clientId, name, authMethods, grantTypes, scopes, resources: uris } = registration;
    check(CLIENT_ID.test(clientId), "client_id does not follow its pattern.");
    check(
      name.length > 0 && name.length <= MAX_NAME_LENGTH && !/\p{Cc}/u.test(name),
      `name has 1 to ${MAX_NAME_LENGTH} characters and no control characters.`,
    );
    check(isSubset(authMethods, AUTH_METHODS), "auth_methods holds one or more known methods.");
    check(isSubset(grantTypes, GRANT_TYPES), "grant_types holds one or more known grant types.");
    check(
      scopes.every(isScopeToken) && scopes.join(" ").length <= MAX_SCOPES_LENGTH,
      `scopes are scope tokens, at most ${MAX_SCOPES_LENGTH} characters together.`,
    );
    check(
      uris.join(" ").length <= MAX_RESOURCES_LENGTH,
      `resources have at most ${MAX_RESOURCES_LENGTH} characters together.`,
    );
    const known = await resources.all();
    const registered = known.filter((resource) => uris.includes(resource.uri));
    check(
      uris.length > 0 &&
        registered.length === new Set(uris).size &&
        registered.length === uris.length,
      "resources holds one or more registered resources, each once.",
    );
    const defined = registered.flatMap((resource) => resource.scopes);
    check(
      isSubset(scopes, defined),
      "scopes holds one or more scopes that the client's resources define.",
    );
    requireLife(registration.accessTokenSeconds, limits.accessTokenMaxSeconds, "access_token");
    requireLife(registration.refreshIdleSeconds, limits.refreshAbsoluteMaxSeconds, "refresh_idle");
    requireLife(
      registration.refreshAbsoluteSeconds,
      limits.refreshAbsoluteMaxSeconds,
      "refresh_absolute",
    );
  }

  return {
    async create(registration, request, beforeCommit) {
      await checkRegistration(registration);
      const made = await secrets.make(request, clock());
      const issued = toIssued(registration.clientId, made);
      const outcome = await clients.create(registration, made.stored, async () =>
        beforeCommit?.(issued),
      );
      if (outcome === "exists") {
        throw new ProblemError({
          status: 409,
          code: "client-exists",
          title: "The client_id is or was in use",
        });
      }
      return issued;
    },

    async addSecret(clientId, request) {
      const made = await secrets.make(request, clock());
      const outcome = await clients.addSecret(clientId, made.stored);
      if (outcome === "unknown") throw new ProblemError({ status: 404, code: "unknown-client" });
      if (outcome === "full") {
        throw new ProblemError({
          status: 409,
          code: "two-live-secrets",
          title: "The client has two live secrets; revoke one first",
        });
      }
      return toIssued(clientId, made);
    },
  };
}

function toIssued(clientId: string, { clientSecret, stored }: NewSecret): IssuedSecret {
  const { kid, salt, expiresAt } = stored;
  return { clientId, kid, salt, clientSecret, expiresAt };
}

function isSubset(chosen: readonly string[], known: readonly string[]): boolean {
  return (
    chosen.length > 0 &&
    new Set(chosen).size === chosen.length &&
    chosen.every((item) => known.includes(item))
  );
}

function requireLife(seconds: number | undefined, max: number, name: string): void {
  check(
    seconds === undefined ||
      (Number.isInteger(seconds) && seconds >= MIN_LIFE_SECONDS && seconds <= max),
    `${name}_seconds is a whole number from ${MIN_LIFE_SECONDS} to ${max}.`,
  );
}

function check(holds: boolean, detail: string): void {
  if (holds) return;
  const title = "The client cannot be registered so";
  throw new ProblemError({ status: 400, code: "invalid-registration", title, detail });
}
