/**
 * `POST /signature-keys`: the key that a resource server checks a signed request with (RFC 9421). It
 * asks by the `keyid` of the signature, authenticated as any client is, and holds the answer for
 * seconds.
 */
import { OAuthError } from "@daykey/common/oauth-error";
import { PATHS } from "@daykey/common/protocol";
import { type AppRouter, createRouter } from "@daykey/service/http/router";
import type { ReadAuthenticated } from "../authentication/client-endpoint.ts";
import { INACTIVE, type PresentedKeys } from "./present.ts";

export function createSignatureKeyEndpoint({
  readAuthenticated,
  presentedKeys,
}: {
  readAuthenticated: ReadAuthenticated;
  presentedKeys: Pick<PresentedKeys, "signatureKey">;
}): AppRouter {
  const router = createRouter();
  router.post(PATHS.signatureKeys, async (ctx) => {
    const { client, form, note } = await readAuthenticated(ctx);
    const id = form.get("key_id");
    if (id === undefined) {
      throw new OAuthError("invalid_request", "The parameter key_id is missing.");
    }
    const answer = await presentedKeys.signatureKey(id, client.clientId);
    note({ outcome: answer === INACTIVE ? "inactive" : "active" });
    ctx.set("Cache-Control", "no-store");
    ctx.body = answer;
  });
  return router;
}
