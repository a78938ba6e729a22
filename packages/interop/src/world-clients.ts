/** What libraries log in as. */
import { createKey, signJwt, type TestKey } from "@daykey/auth-server/test/assertions";
import { JWT_BEARER_GRANT, TOKEN_EXCHANGE_GRANT } from "@daykey/common/protocol";

export interface WorldClients {
  /** May use both scopes. */
  demo: SecretClient;
  /** Is registered for `time:read` alone. */
  one_scope: SecretClient;
  /** Proves itself by `private_key_jwt`. */
  key_client: { client_id: string; keys: Record<KeyName, PrivateKeyForms> };
  /** A workload of a trust domain that is trusted. */
  spiffe: SpiffeWorkload;
  /** May exchange anybody's tokens, and takes ID-JAGs. */
  agent: SecretClient;
  /** A trusted issuer that names people, whom a rule lets in. */
  id_provider: { issuer: string; person: string; key: PrivateKeyForms };
}

export interface SecretClient {
  client_id: string;
  client_secret: string;
  /** The salt of its secret, for the hash forms. */
  salt: string;
}

export interface SpiffeWorkload {
  trust_domain: string;
  id: string;
  /** The domain's keys, a JSON Web Key Set as text. */
  bundle: string;
  /** A JWT-SVID for the issuer. */
  svid: string;
}

/** A private key as libraries take it: PKCS #8 in PEM, and JWK with `kid` and `alg`. */
export interface PrivateKeyForms {
  kid: string;
  pem: string;
  jwk: Record<string, unknown>;
}

export const KEY_NAMES = ["ES256", "RS256", "Ed25519"] as const;
export type KeyName = (typeof KEY_NAMES)[number];

/** Registers what libraries log in as, over the admin API as an operator does. */
export async function registerClients({
  adminUrl,
  adminToken: admin,
  issuer,
  resource,
  demo,
}: {
  adminUrl: string;
  adminToken: string;
  issuer: string;
  resource: string;
  demo: SecretClient;
}): Promise<WorldClients> {
  const common = {
    grant_types: ["client_credentials", "refresh_token"],
    scopes: ["time:read"],
    resources: [resource],
  };
  const make = (path: string, body: object) => post(adminUrl + path, admin, body);

  const one = await make("/clients", {
    ...common,
    client_id: "one-scope",
    name: "one scope",
    auth_methods: ["client_secret_basic", "client_secret_post"],
  });
  await make("/clients", {
    ...common,
    client_id: "key-holder",
    name: "key holder",
    auth_methods: ["private_key_jwt"],
    secret: null,
  });
  await make("/clients", {
    ...common,
    client_id: "spiffe-workload",
    name: "a workload",
    auth_methods: ["workload"],
    grant_types: ["client_credentials"],
    secret: null,
  });
  const spiffe = spiffeWorkload(issuer);
  await make("/trust/issuers", {
    name: "domain",
    iss: `spiffe://${spiffe.trust_domain}`,
    key_source: "jwks",
    jwks: JSON.parse(spiffe.bundle) as object,
  });
  await make("/trust/rules", {
    name: "workload",
    issuer: "domain",
    client_id: "spiffe-workload",
    conditions: [{ claim: "sub", one_of: [spiffe.id] }],
  });
  const keys = KEY_NAMES.map((name) => createKey(name.toLowerCase(), name));
  for (const { publicJwk } of keys) await make("/clients/key-holder/keys", { jwk: publicJwk });
  const agent = await make("/clients", {
    ...common,
    client_id: "agent",
    name: "agent",
    auth_methods: ["client_secret_basic", "client_secret_post"],
    grant_types: ["client_credentials", JWT_BEARER_GRANT, TOKEN_EXCHANGE_GRANT],
    exchange: { subjects: ["*"], audiences: ["*"] },
  });
  await make("/clients", {
    ...common,
    client_id: "people",
    name: "people",
    auth_methods: ["workload"],
    grant_types: ["client_credentials"],
    secret: null,
  });
  const personsKey = createKey("people", "ES256");
  const provider = { issuer: "https://people.example.com", person: "ada" };
  await make("/trust/issuers", {
    name: "people",
    iss: provider.issuer,
    key_source: "jwks",
    jwks: { keys: [personsKey.publicJwk] },
  });
  await make("/trust/rules", {
    name: "people",
    issuer: "people",
    client_id: "people",
    conditions: [{ claim: "sub", one_of: [provider.person] }],
  });
  const forms = keys.map((key) => [key.algorithm, formsOf(key)]);
  return {
    demo,
    one_scope: { client_id: "one-scope", ...secretOf(one) },
    spiffe,
    agent: { client_id: "agent", ...secretOf(agent) },
    id_provider: { ...provider, key: formsOf(personsKey) },
    key_client: {
      client_id: "key-holder",
      keys: Object.fromEntries(forms) as Record<KeyName, PrivateKeyForms>,
    },
  };
}

/** Signed as SPIRE would: no `iss`, no `jti`. */
function spiffeWorkload(audience: string): SpiffeWorkload {
  const domain = "interop.example";
  const id = `spiffe://${domain}/ns/prod/sa/billing`;
  const key = createKey("svid-1");
  const iat = Math.floor(Date.now() / 1000);
  return {
    trust_domain: domain,
    id,
    bundle: JSON.stringify({ keys: [{ ...key.publicJwk, use: "jwt-svid" }] }),
    svid: signJwt(
      key,
      { alg: key.algorithm, typ: "JWT", kid: key.kid },
      { sub: id, aud: [audience], iat, exp: iat + 3600 },
    ),
  };
}

function formsOf({ kid, algorithm, privateKey }: TestKey): PrivateKeyForms {
  return {
    kid,
    pem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    jwk: { ...privateKey.export({ format: "jwk" }), kid, alg: algorithm },
  };
}

function secretOf(answer: unknown): Pick<SecretClient, "client_secret" | "salt"> {
  const { client_secret, salt } = (answer as { secret: SecretClient }).secret;
  return { client_secret, salt };
}

/** @throws {Error} when it is not made */
async function post(url: string, token: string, body: object): Promise<unknown> {
  const response = await fetch(url, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (response.status !== 201) throw new Error(`${url}: ${text}`);
  return JSON.parse(text);
}
