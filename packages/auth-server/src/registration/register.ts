/**
 * Registering clients and their secrets: the rules an operator's wish must keep, whoever brings it
 * (the admin API, the first start, a test). What is made is told once and kept as verifiers only.
 */
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "@daykey/common/clock";
import { AUTH_METHODS, CLIENT_ID, GRANT_TYPES } from "@daykey/common/protocol";
import { isScopeToken } from "@daykey/common/scope";
import { problem } from "@daykey/service/http/problem-error";
import type { Resource, ResourcesStore } from "../resources/resources-store.ts";
import { CHOSEN_SECRET_METHODS, type ClientRegistration } from "../clients/client.ts";
import type { AddedSecret, ClientsStore, Transaction } from "../clients/clients-store.ts";
import { isJwksUri } from "../authentication/jwks-fetch.ts";
import { exchangeFault } from "../clients/exchange-rights.ts";
import { clientExtFault } from "../clients/ext.ts";
import { carriedOver, inRegisteredForm, resourceScopesFault } from "../clients/resource-scopes.ts";
import { quotaFault, tokenQuotaFault } from "../clients/quotas.ts";
import { certificateFault, type CertificateSettings } from "./certificate-fault.ts";
import {
  type BroughtVerifiers,
  type SecretMaker,
  type SecretRequest,
  storedVerifiers,
} from "./secrets.ts";
import type { StoredSecret } from "../clients/verifiers.ts";

/** What the client is told, once. */
export interface IssuedSecret {
  clientId: string;
  kid: string;
  salt: string;
  clientSecret: string;
  /** Epoch seconds. */
  expiresAt: number;
}

/** A secret that was made here, or whose verifiers were brought. */
export interface RegisteredSecret {
  clientId: string;
  stored: StoredSecret;
  /** Undefined where the client has it already. */
  clientSecret: string | undefined;
}

export type AnySecretRequest = SecretRequest | BroughtVerifiers;

export interface ClientRegistrar {
  /**
   * The registration with its resources as they are registered, whatever equivalent URIs name them. Of a
   * change only what differs from `before` is judged: what was right once stays, though a setting or a
   * resource has changed since.
   * @param options.tx the transaction that registers it
   * @throws {ProblemError} 400 for a registration that cannot be
   */
  check(
    registration: ClientRegistration,
    options?: { before?: ClientRegistration; tx?: Transaction },
  ): Promise<ClientRegistration>;
  /**
   * Registers a client, most often with its first secret. `beforeCommit` may record it or keep the
   * secret somewhere: if it fails, nothing was registered.
   * @throws {ProblemError} 400 for a registration or a secret that cannot be, 409 for an id that is or
   *   was in use
   */
  register(
    registration: ClientRegistration,
    request: AnySecretRequest | undefined,
    beforeCommit: (tx: Transaction, secret: RegisteredSecret | undefined) => Promise<void>,
  ): Promise<void>;
  /** `register` for a secret made here, which is returned. @throws as `register` */
  create(
    registration: ClientRegistration,
    secret: SecretRequest,
    beforeCommit?: (issued: IssuedSecret) => Promise<void>,
  ): Promise<IssuedSecret>;
  /**
   * Gives a client another secret, and says with it when the one before ends.
   * @throws {ProblemError} 400 for a secret that cannot be, 404 without such a client, 409 when it has
   *   two live secrets, or has or had this kid
   */
  rotateSecret(
    clientId: string,
    request: AnySecretRequest,
    options: {
      overlapSeconds: number | undefined;
      beforeCommit: (
        tx: Transaction,
        secret: RegisteredSecret,
        added: AddedSecret,
      ) => Promise<void>;
    },
  ): Promise<void>;
  /** @throws {ProblemError} 404 without such a client, 409 when it has two live secrets */
  addSecret(clientId: string, secret: SecretRequest): Promise<IssuedSecret>;
}

/** Together they stand in every refresh token, which must fit a token request. */
const MAX_SCOPES_LENGTH = 1024;
const MAX_RESOURCES_LENGTH = 2048;
const MAX_NAME_LENGTH = 200;
const MIN_LIFE_SECONDS = 10;
const SEED_METHOD = "client_secret_hash_seed";

/** Settings that a registration is judged by. */
interface Limits extends CertificateSettings {
  accessTokenMaxSeconds: number;
  refreshAbsoluteMaxSeconds: number;
  allowPrivateJwksUri?: boolean;
  seedHash?: boolean;
  tokenExchange?: boolean;
}

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
  limits: Limits;
}): ClientRegistrar {
  const checkRegistration: ClientRegistrar["check"] = async (asked, { before, tx } = {}) => {
    const known = await resources.all(tx);
    const wanted = inRegisteredForm(asked, known);
    const { clientId, name, authMethods, grantTypes, scopes, resources: uris, jwksUri } = wanted;
    const isNew = (member: keyof ClientRegistration): boolean =>
      before === undefined || !isDeepStrictEqual(wanted[member], before[member]);
    check(CLIENT_ID.test(clientId), "client_id does not follow its pattern.");
    check(
      !isNew("name") ||
        (name.length > 0 && name.length <= MAX_NAME_LENGTH && !/\p{Cc}/u.test(name)),
      `name has 1 to ${MAX_NAME_LENGTH} characters and no control characters.`,
    );
    if (isNew("authMethods")) {
      check(isSubset(authMethods, AUTH_METHODS), "auth_methods holds one or more known methods.");
      const isSeedNew = !before?.authMethods.includes(SEED_METHOD);
      check(
        !authMethods.includes(SEED_METHOD) || limits.seedHash === true || !isSeedNew,
        "client_secret_hash_seed is for servers with the setting SEED_HASH.",
      );
      if (before && takesChosen(before) && !takesChosen(wanted)) {
        const kid = await clients.liveChosenSecret(clientId, tx);
        check(
          kid === undefined,
          `auth_methods: the chosen secret ${kid} of the client ${ONLY_HASHED}. Keep one of them, or revoke the secret first.`,
        );
      }
    }
    refuse(certificateFault(wanted, before, limits));
    check(
      wanted.dpop !== "day-key" ||
        !(isNew("dpop") || isNew("authMethods")) ||
        authMethods.every((method) => method === "client_secret_hash_once"),
      "dpop: the key of the day is known from the one-time form alone. Make client_secret_hash_once the only one of auth_methods.",
    );
    check(
      !isNew("grantTypes") || isSubset(grantTypes, GRANT_TYPES),
      "grant_types holds one or more known grant types.",
    );
    if (isNew("exchange") || isNew("grantTypes") || isNew("scopes")) {
      const isOpen = limits.tokenExchange === true;
      refuse(exchangeFault(wanted, { before, isOpen, known: known.map(({ uri }) => uri) }));
    }
    if (isNew("scopes") || isNew("resources")) {
      checkScopes(wanted, before, known);
    }
    if (isNew("resourceScopes")) {
      refuse(resourceScopesFault(wanted, { before, known, issuer: resources.issuer }));
    } else if (before) {
      wanted.resourceScopes = carriedOver(wanted, before, known);
    }
    check(
      jwksUri === undefined ||
        !isNew("jwksUri") ||
        isJwksUri(jwksUri, { allowPrivate: limits.allowPrivateJwksUri ?? false }),
      "jwks_uri is an https URL without credentials and fragment; the server may refuse private addresses.",
    );
    // A quota for a scope that the client loses would limit nothing.
    if (isNew("quotas") || isNew("scopes")) refuse(quotaFault(wanted.quotas ?? [], scopes));
    if (isNew("tokenQuotas")) refuse(tokenQuotaFault(wanted.tokenQuotas ?? []));
    const extFault = isNew("ext") ? clientExtFault(wanted.ext ?? {}) : undefined;
    check(extFault === undefined, `ext ${extFault ?? ""}.`);
    const lives = [
      ["accessTokenSeconds", "access_token", limits.accessTokenMaxSeconds],
      ["refreshIdleSeconds", "refresh_idle", limits.refreshAbsoluteMaxSeconds],
      ["refreshAbsoluteSeconds", "refresh_absolute", limits.refreshAbsoluteMaxSeconds],
    ] as const;
    for (const [member, words, most] of lives) {
      if (isNew(member)) requireLife(wanted[member], most, words);
    }
    check(
      !isNew("resources") || uris.join(" ").length <= MAX_RESOURCES_LENGTH,
      `resources have at most ${MAX_RESOURCES_LENGTH} characters together.`,
    );
    return wanted;
  };

  async function prepare(clientId: string, request: AnySecretRequest): Promise<RegisteredSecret> {
    if (request.kind === "verifiers") {
      const stored = storedVerifiers(request, clock());
      return { clientId, stored, clientSecret: undefined };
    }
    const { stored, clientSecret } = await secrets.make(request, clock());
    return { clientId, stored, clientSecret };
  }

  const register: ClientRegistrar["register"] = async (wanted, request, beforeCommit) => {
    const registration = await checkRegistration(wanted);
    check(
      request?.kind !== "chosen" || takesChosen(registration),
      `auth_methods: a chosen secret ${ONLY_HASHED}. Add one of them, or take a generated secret.`,
    );
    const secret = request && (await prepare(registration.clientId, request));
    const outcome = await clients.create(registration, secret?.stored, async (tx) => {
      // Making the secret took its time: a resource may have gone.
      await checkRegistration(registration, { tx });
      await beforeCommit(tx, secret);
    });
    if (outcome === "created") return;
    throw problem("client-exists");
  };

  const rotateSecret: ClientRegistrar["rotateSecret"] = async (
    clientId,
    request,
    { overlapSeconds, beforeCommit },
  ) => {
    const secret = await prepare(clientId, request);
    const outcome = await clients.addSecret(clientId, secret.stored, {
      overlapSeconds,
      beforeCommit: async (tx, added) => beforeCommit(tx, secret, added),
    });
    if (outcome === "unknown") {
      throw problem("unknown-client");
    }
    if (outcome === "unfit") {
      throw problem("invalid-secret", {
        detail: `kind: a chosen secret ${ONLY_HASHED}, and the client has neither among its auth_methods. Add one of them, or take a generated secret.`,
      });
    }
    if (outcome === "full") {
      throw problem("two-live-secrets");
    }
    if (outcome === "kid_exists") {
      throw problem("kid-exists");
    }
  };

  return {
    check: checkRegistration,
    register,
    rotateSecret,

    async create(registration, request, beforeCommit) {
      let issued: IssuedSecret | undefined;
      await register(registration, request, async (_tx, secret) => {
        issued = toIssued(secret);
        await beforeCommit?.(issued);
      });
      return required(issued);
    },

    async addSecret(clientId, request) {
      let issued: IssuedSecret | undefined;
      await rotateSecret(clientId, request, {
        overlapSeconds: undefined,
        beforeCommit: async (_tx, secret) => void (issued = toIssued(secret)),
      });
      return required(issued);
    },
  };
}

/** What a refusal says about a chosen secret. */
const ONLY_HASHED = `works by ${CHOSEN_SECRET_METHODS.join(" and ")} alone`;

function takesChosen({ authMethods }: ClientRegistration): boolean {
  return authMethods.some((method) => CHOSEN_SECRET_METHODS.includes(method));
}

function toIssued(secret: RegisteredSecret | undefined): IssuedSecret {
  const { clientId, stored, clientSecret } = required(secret);
  const { kid, salt, expiresAt } = stored;
  return { clientId, kid, salt, clientSecret: required(clientSecret), expiresAt };
}

/** A secret made here is there once it is committed. */
function required<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError("no secret was made");
  return value;
}

function isSubset(chosen: readonly string[], known: readonly string[]): boolean {
  return (
    chosen.length > 0 &&
    new Set(chosen).size === chosen.length &&
    chosen.every((item) => known.includes(item))
  );
}

/**
 * Every resource is registered and every scope defined by one of them, apart from those that stayed: a
 * resource can have lost a scope since, and what a client keeps of it is worth nothing.
 */
function checkScopes(
  { scopes, resources: uris }: ClientRegistration,
  before: ClientRegistration | undefined,
  known: readonly Resource[],
): void {
  check(
    scopes.every(isScopeToken) && scopes.join(" ").length <= MAX_SCOPES_LENGTH,
    `scopes are scope tokens, at most ${MAX_SCOPES_LENGTH} characters together.`,
  );
  const definedBy = (held: readonly string[]): string[] =>
    known.filter(({ uri }) => held.includes(uri)).flatMap((resource) => resource.scopes);
  const kept = before ? before.resources : [];
  const keptUris = kept.filter((uri) => !known.some((resource) => resource.uri === uri));
  check(
    isSubset(uris, [...known.map(({ uri }) => uri), ...keptUris]),
    "resources holds one or more registered resources, each once.",
  );
  const definedBefore = definedBy(kept);
  const keptScopes = (before?.scopes ?? []).filter((scope) => !definedBefore.includes(scope));
  check(
    isSubset(scopes, [...definedBy(uris), ...keptScopes]),
    "scopes holds one or more scopes that the client's resources define.",
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
  if (!holds) refuse(detail);
}

function refuse(fault: string | undefined): void {
  if (fault !== undefined) throw problem("invalid-registration", { detail: fault });
}
