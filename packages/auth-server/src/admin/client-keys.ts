/** `/clients/{client_id}/keys`: public keys for `private_key_jwt` (RFC 7523), given by value, and
 * certificates for `self_signed_tls_client_auth` (RFC 8705), which are such keys with `x5c` or `x5t#S256`. */
import { z } from "zod";
import { formatInstant } from "@daykey/common/clock";
import { ASSERTION_ALGORITHMS } from "@daykey/common/protocol";
import { problem } from "@daykey/service/http/problem-error";
import { registrableKey } from "../clients/client-key.ts";
import {
  MAX_LIVE_KEYS,
  type RegisteredKey,
  type RegisteredKeysStore,
} from "../registration/registered-keys-store.ts";
import { unknownClient } from "./clients.ts";
import type { Recorder } from "./recorder.ts";
import { PARAMETERS, route, type Route } from "./route.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { DEFAULT_PAGE, instant, listOf, longPageQuery, pageOf } from "./schema-parts.ts";
import { instantOrNull } from "./secret-schema.ts";

const tag = "client keys";

const base64url = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,2048}$/, "must be base64url without padding")
  .optional();
/** The numbers of one key, whichever its kind has. */
const material = {
  kty: z.enum(["EC", "OKP", "RSA"]),
  crv: z.enum(["P-256", "Ed25519"]).optional(),
  x: base64url,
  y: base64url,
  n: base64url,
  e: base64url,
};
/** SHA-256 of a certificate in DER. */
const thumbprint = z.string().regex(/^[\w-]{43}$/, "must be a SHA-256 in base64url");
const privateMember = z
  .never({ error: "belongs to a private key, which only its client may have" })
  .optional();

/** RFC 7517 §4 and what WebCrypto writes beside it. */
export const newClientKey = z.strictObject({
  jwk: z.strictObject({
    ...material,
    kid: PARAMETERS.kid.regex(/^(?!\.{1,2}$)/, "must not be . or ..").optional(),
    alg: z.string().max(20).optional(),
    use: z.string().max(20).optional(),
    key_ops: z.array(z.string().max(20)).max(8).optional(),
    ext: z.boolean().optional(),
    x5c: z.array(z.string().max(12_000)).min(1).max(8).optional(),
    "x5t#S256": thumbprint.optional(),
    d: privateMember,
    p: privateMember,
    q: privateMember,
    dp: privateMember,
    dq: privateMember,
    qi: privateMember,
    oth: privateMember,
    k: privateMember,
  }),
});

const signatureAlgorithm = z.enum(ASSERTION_ALGORITHMS);

export const clientKeyView = z.strictObject({
  kid: PARAMETERS.kid,
  algorithm: signatureAlgorithm,
  jwk: z.strictObject({
    ...material,
    kid: PARAMETERS.kid,
    alg: signatureAlgorithm,
    use: z.literal("sig"),
    "x5t#S256": thumbprint.optional(),
  }),
  created_at: instant,
  last_used_at: instant.nullable(),
  revoked_at: instant.nullable(),
});

export const clientKeyList = listOf(clientKeyView);

/** A key that a client has now, in a list of all clients. */
export const heldKeyView = z.strictObject({
  client_id: PARAMETERS.client_id,
  ...clientKeyView.shape,
});
export const heldKeyPage = pageOf(heldKeyView);

const PLACE = /^key ([A-Za-z0-9._~-]{1,64}) ([\x21-\x7E]{1,128})$/;

export function createClientKeyRoutes({
  keys,
  recorder,
}: {
  keys: RegisteredKeysStore;
  recorder: Recorder;
}): Route[] {
  return [
    route({
      method: "get",
      path: "/client-keys",
      operationId: "listAllClientKeys",
      tag,
      summary: "A page of the keys that clients have now, by client and kid",
      query: longPageQuery,
      status: 200,
      answer: heldKeyPage,
      async handle({ query: { limit = DEFAULT_PAGE, cursor } }) {
        const [clientId = "", kid = ""] = cursor === undefined ? [] : decodeCursor(cursor, PLACE);
        const { items, next } = await keys.page({ limit, after: { clientId, kid } });
        return {
          body: {
            items: items.map((key) => ({ client_id: key.clientId, ...viewOf(key) })),
            next_cursor: next ? encodeCursor(["key", next.clientId, next.kid]) : null,
          },
        };
      },
    }),

    route({
      method: "get",
      path: "/clients/{client_id}/keys",
      operationId: "listClientKeys",
      tag,
      summary: "A client's registered public keys, newest first",
      status: 200,
      answer: clientKeyList,
      problems: [404],
      async handle({ params: { client_id: clientId } }) {
        const found = await keys.list(clientId);
        if (!found) throw unknownClient();
        return { body: { items: found.map(viewOf) } };
      },
    }),

    route({
      method: "post",
      path: "/clients/{client_id}/keys",
      operationId: "addClientKey",
      tag,
      summary: "Register a public key of a client; without a kid it gets its thumbprint (RFC 7638)",
      body: newClientKey,
      status: 201,
      answer: clientKeyView,
      problems: [404, 409],
      async handle({ actor, params: { client_id: clientId }, body }) {
        const key = registrableKey(body.jwk);
        const target = `${clientId} ${key.kid}`;
        const record = recorder({ actor, action: "client_key.add", target });
        const added = await keys.add(clientId, key, async (tx) =>
          record(tx, null, {
            kid: key.kid,
            algorithm: key.algorithm,
            jwk: Object.fromEntries(Object.entries(key.publicJwk)) as Record<string, string>,
          }),
        );
        if (added === "unknown") throw unknownClient();
        if (added === "kid_exists") {
          throw problem("kid-exists");
        }
        if (added === "full") {
          throw problem("too-many-keys", { detail: `At most ${MAX_LIVE_KEYS}.` });
        }
        return { body: viewOf(added) };
      },
    }),

    route({
      method: "post",
      path: "/clients/{client_id}/keys/{kid}/revoke",
      operationId: "revokeClientKey",
      tag,
      summary: "End a registered key at once, and every grant it opened",
      status: 204,
      problems: [404, 409],
      async handle({ actor, params: { client_id: clientId, kid } }) {
        const record = recorder({
          actor,
          action: "client_key.revoke",
          target: `${clientId} ${kid}`,
        });
        const outcome = await keys.revoke(clientId, kid, async (tx, before, after) =>
          record(tx, factsOf(before), factsOf(after)),
        );
        if (outcome === "unknown") {
          throw problem("unknown-key");
        }
        return {};
      },
    }),
  ];
}

function viewOf(key: RegisteredKey) {
  return {
    kid: key.kid,
    algorithm: key.algorithm,
    jwk: key.publicJwk,
    created_at: formatInstant(key.createdAt),
    last_used_at: instantOrNull(key.lastUsedAt),
    revoked_at: instantOrNull(key.revokedAt),
  };
}

function factsOf({ kid, algorithm, createdAt, revokedAt }: RegisteredKey) {
  return {
    kid,
    algorithm,
    created_at: formatInstant(createdAt),
    revoked_at: instantOrNull(revokedAt),
  };
}
