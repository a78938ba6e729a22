/** The JWKS (RFC 7517 §5): next, current and retired keys, so that a validator's copy may be old. */
import { PATHS } from "@daykey/common/protocol";
import { type AppRouter, createRouter } from "@daykey/service/http/router";
import type { KeyRing } from "./key-ring.ts";

const JWKS_MAX_AGE_SECONDS = 300;

export function createJwksEndpoint(keys: KeyRing): AppRouter {
  const router = createRouter();
  router.get(PATHS.jwks, (ctx) => {
    ctx.set("Cache-Control", `public, max-age=${JWKS_MAX_AGE_SECONDS}`);
    ctx.set("Content-Type", "application/jwk-set+json");
    ctx.body = JSON.stringify({ keys: keys.publicJwks() });
  });
  return router;
}
