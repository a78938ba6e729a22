/**
 * What a client is once its rows have been read: its registration, its epoch, its public keys, and the
 * verifiers that its secrets left for the days around today. No secret, root or day key is ever here.
 */
import type { Ext, Workload } from "@daykey/common/access-token";
import type { AuthMethod, GrantType } from "@daykey/common/protocol";
import type { Quota } from "@daykey/common/quota";

/** Who has it may do everything the admin API can (docs/protocol.md §4). */
export const ADMIN_SCOPE = "daykey:admin";

/**
 * The methods that take a chosen secret: no request runs Argon2id, so what is sent has to be a hash
 * (docs/protocol.md §1.5).
 */
export const CHOSEN_SECRET_METHODS: readonly AuthMethod[] = [
  "client_secret_hash_day",
  "client_secret_hash_once",
];

/** The forms an access token can have (docs/protocol.md §2). */
export const ACCESS_TOKEN_FORMATS = ["jwt", "opaque"] as const;
export type AccessTokenFormat = (typeof ACCESS_TOKEN_FORMATS)[number];

/**
 * Whether its access tokens are bound to a key (RFC 9449): where it brings a proof, always, or always to
 * the key that its secret yields for the day (docs/protocol.md §9).
 */
export const DPOP_MODES = ["optional", "required", "day-key"] as const;
export type DpopMode = (typeof DPOP_MODES)[number];

/** Whose tokens a client may exchange for its own, to act on their behalf (RFC 8693). */
export interface ExchangeRights {
  /** Ids of the clients on whose behalf; `*` is any. */
  subjects: readonly string[];
  /** Resources whose tokens it may bring; `*` is any. */
  audiences: readonly string[];
  /** The most that it gets; all that it has itself when undefined. */
  scopes?: readonly string[] | undefined;
  /** Whether its tokens are the subject's own, without a word of who acts. */
  impersonation: boolean;
}

/** The name that a client's certificate has: its subject, or one of its alternative names (RFC 8705 §2.1.2). */
export const CERTIFICATE_NAMES = [
  "subject_dn",
  "san_dns",
  "san_uri",
  "san_ip",
  "san_email",
] as const;

export interface CertificateName {
  name: (typeof CERTIFICATE_NAMES)[number];
  /** A subject is written as RFC 4514 says, from its end to its root. */
  value: string;
}

/** Some of a client's scopes, at one of its resources. */
export interface ScopesAtResource {
  resource: string;
  scopes: readonly string[];
}

/** What an operator decides about a client. */
export interface ClientRegistration {
  clientId: string;
  /** For people; never interpreted. */
  name: string;
  authMethods: readonly AuthMethod[];
  grantTypes: readonly GrantType[];
  /** Scope tokens; `resourceScopes` says which of them count where. */
  scopes: readonly string[];
  /** Resource URIs; the first is the default. */
  resources: readonly string[];
  /** Undefined: each scope at each of the resources that defines it. */
  resourceScopes?: readonly ScopesAtResource[] | undefined;
  /** Lifetimes in seconds; undefined means the server's setting. */
  accessTokenSeconds?: number | undefined;
  refreshIdleSeconds?: number | undefined;
  refreshAbsoluteSeconds?: number | undefined;
  /** `jwt` when undefined. */
  accessTokenFormat?: AccessTokenFormat | undefined;
  /** Where the client publishes the public keys it authenticates with. */
  jwksUri?: string | undefined;
  /** Whether its assertions must have the `typ` of RFC 10070; false when undefined. */
  requireAssertionTyp?: boolean | undefined;
  /** `optional` when undefined. */
  dpop?: DpopMode | undefined;
  /** Nothing when undefined. */
  exchange?: ExchangeRights | undefined;
  /** For `tls_client_auth`. */
  tlsClientAuth?: CertificateName | undefined;
  /** Whether its access tokens are bound to the certificate that it shows (RFC 8705 §3); false when undefined. */
  certificateBound?: boolean | undefined;
  /** None when undefined. */
  quotas?: readonly Quota[] | undefined;
  /** How many tokens it may be issued; none of these is for a scope. No limit when undefined. */
  tokenQuotas?: readonly Quota[] | undefined;
  /** Claims for services; none when undefined. */
  ext?: Ext | undefined;
}

export interface Client extends ClientRegistration {
  enabled: boolean;
  /** Raised when every token of the client is revoked; a token with a lower one is dead. */
  epoch: number;
  /**
   * Tells whose grants still live, by kid: a secret's or registered key's that was not revoked (nor has
   * expired for longer than a grant can last), and for a client with a `jwksUri` any kid that never was
   * one of these.
   */
  credentials: Pick<ReadonlySet<string>, "has">;
}

/**
 * One of the two places a client has for a secret. An empty one, and each place of an unknown client,
 * holds fake verifiers and has expired, so that checking it is the same work.
 */
export interface SecretSlot {
  kid: string;
  /** 32 lowercase hex. */
  salt: string;
  /** Epoch seconds. */
  expiresAt: number;
  /** Whether another server made the secret, so that it does not have the form of this one's. */
  isImported: boolean;
  /** 32-byte verifiers of three days around today, in order. */
  verifiers: readonly Buffer[];
  /** The same of the seed-compatible hash; most secrets have none. */
  seedVerifiers: readonly (Buffer | undefined)[];
}

export type SecretSlots = readonly [SecretSlot, SecretSlot];

declare const proven: unique symbol;

/** A client that has proved itself in this request, its registration cut to what its proof is good for; only `authenticate.ts` makes one. */
export interface VerifiedClient extends Client {
  readonly [proven]: true;
  /** The kid of the secret or key it used, or what the rule that let it in is named by. */
  readonly credential: string;
  /** The workload that a rule of trust let in as this client. */
  readonly workload?: Workload;
  /** The thumbprint of the key of its day, where its tokens are bound to that (RFC 7638). */
  readonly dayKeyThumbprint?: string;
  /** Where what it used is good for short-lived access tokens only. */
  readonly accessTokenLimitSeconds?: number;
}
