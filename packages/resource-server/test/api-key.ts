/** API keys as the auth-server makes them, and its answers about them. */
import { hash, randomBytes } from "node:crypto";
import { idOfApiKey, keyIdOf } from "@daykey/common/api-key";
import { checksumOf } from "@daykey/common/secret-hash";
import { CLIENT, ISSUER, RESOURCE, type Refusal } from "./resource-server.ts";

export function createApiKey(): string {
  const body = `dkk_${keyIdOf(1_795_262_400, randomBytes(5))}_0${randomBytes(21).toString("hex")}`;
  return `${body}_${checksumOf(hash("sha256", body, "buffer"))}`;
}

/** What introspection says of a key of the client `billing-cron`. */
export function keyAnswer(key: string, changes: Record<string, unknown> = {}) {
  return {
    active: true,
    token_type: "api_key",
    iss: ISSUER,
    sub: CLIENT,
    client_id: CLIENT,
    aud: RESOURCE,
    scope: "time:read primes:check",
    iat: 1_795_262_400,
    ep: 0,
    cred: idOfApiKey(key),
    ...changes,
  };
}

const METADATA = `${RESOURCE}/.well-known/oauth-protected-resource`;

export const INVALID_API_KEY: Refusal = {
  status: 401,
  challenge: `Bearer realm="${RESOURCE}", resource_metadata="${METADATA}"`,
  body: {
    type: "urn:daykey:problem:invalid-api-key",
    title: "The API key is not valid here",
    status: 401,
  },
};
