/** This server's own key set (RFC 7517), and the signing of whatever it answers to who asks for that. */
import type { Clock } from "@daykey/common/clock";
import { PATHS } from "@daykey/common/protocol";
import { type AppContext, type AppRouter, createRouter } from "@daykey/service/http/router";
import { linesOf } from "@daykey/guard/node";
import { messageOf } from "@daykey/guard/request";
import type { AnswerKeys } from "@daykey/guard/signed-answers/answer-key";
import { signAnswer } from "@daykey/guard/signed-answers/answer-signature";

const JWKS_MAX_AGE_SECONDS = 300;

/** @param keys those of now */
export function createAnswerKeysEndpoint(keys: () => AnswerKeys): AppRouter {
  const router = createRouter();
  router.get(PATHS.jwks, (ctx) => {
    ctx.set("Cache-Control", `public, max-age=${JWKS_MAX_AGE_SECONDS}`);
    ctx.set("Content-Type", "application/jwk-set+json");
    ctx.body = JSON.stringify({ keys: keys().map(({ publicJwk }) => publicJwk) });
  });
  return router;
}

/**
 * Stands outside of what turns errors into answers, so refusals are signed too. HEAD is not: what its
 * answer would cover is not there.
 */
export function createAnswerSigning({
  keys,
  resource,
  clock,
}: {
  /** Those of now; the first signs. */
  keys: () => AnswerKeys;
  /** This resource's URI. */
  resource: string;
  clock: Clock;
}): (ctx: AppContext) => Promise<void> | undefined {
  async function sign(ctx: AppContext, wanted: string): Promise<void> {
    const { method, status } = ctx;
    const body: unknown = ctx.body;
    const isWhole = typeof body === "string" || Buffer.isBuffer(body);
    if (!isWhole || method === "HEAD") return;
    const signed = await signAnswer(wanted, {
      answer: {
        status,
        field: (name) => ctx.response.get(name) || undefined,
        content: Buffer.from(body),
      },
      request: messageOf({ method, target: ctx.req.url ?? "", lines: linesOf(ctx.req) }, resource),
      key: keys()[0],
      clock,
    });
    const isSigned = "fields" in signed;
    if (isSigned) ctx.set(signed.fields);
    ctx.state.logFields["answer"] = isSigned ? "signed" : signed.unsigned;
  }

  return (ctx) => {
    const wanted = ctx.req.headers["accept-signature"];
    return wanted === undefined ? undefined : sign(ctx, String(wanted));
  };
}
