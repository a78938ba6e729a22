/**
 * `POST /usage`: what a resource server has counted, in reports that may come twice (docs/protocol.md
 * §6.1). It takes an access token of the issuer, so that nothing is read of a stranger's.
 */
import type { JsonValue } from "@daykey/common/json-numbers";
import { parseDay } from "@daykey/common/clock";
import { OAuthError } from "@daykey/common/oauth-error";
import { CLIENT_ID, PATHS } from "@daykey/common/protocol";
import { isScopeToken } from "@daykey/common/scope";
import { readJson } from "@daykey/service/http/json-body";
import { type AppRouter, createRouter } from "@daykey/service/http/router";
import { z } from "zod";
import type { ResourceDirectory } from "../resources/resource-directory.ts";
import type { BearerAuthorizer } from "../issuer-access/bearer.ts";
import type { UsageStore } from "./usage-store.ts";

const REPORT_SCOPE = "introspect";
const BODY_BYTES = 524_288;
const MAX_COUNTS = 1000;

const whole = z.bigint().min(0n).max(BigInt(1e12)).transform(Number);

const reportBody = z.strictObject({
  reporter: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  seq: whole,
  resource: z.string().max(2048).optional(),
  counts: z
    .array(
      z.strictObject({
        client_id: z.string().regex(CLIENT_ID),
        day: z.string().refine((text) => parseDay(text) !== undefined),
        scope: z.string().max(200).refine(isScopeToken),
        served: whole,
        refused: whole,
      }),
    )
    .max(MAX_COUNTS),
});

export function createUsageEndpoint({
  bearer,
  directory,
  usage,
}: {
  bearer: BearerAuthorizer;
  directory: ResourceDirectory;
  usage: Pick<UsageStore, "add">;
}): AppRouter {
  /** The one that the caller serves, or that of several which it names. */
  function resourceOf(clientId: string, named: string | undefined): string {
    const owned = directory.all().filter(({ ownerClientId }) => ownerClientId === clientId);
    const uri = named === undefined ? undefined : directory.find(named)?.uri;
    const wanted = named === undefined ? owned : owned.filter((one) => one.uri === uri);
    const [resource, ...others] = wanted;
    if (resource && others.length === 0) return resource.uri;
    throw new OAuthError(
      "invalid_target",
      "The resource is none that this client owns, or it owns several and names none.",
    );
  }

  const router = createRouter();
  router.post(PATHS.usage, async (ctx) => {
    const { logFields } = ctx.state;
    const { client_id: clientId } = await bearer.authorize(ctx.req.headers, REPORT_SCOPE);
    Object.assign(logFields, { client: clientId });
    const { reporter, seq, resource, counts } = readReport(
      await readJson(ctx.req, { limitBytes: BODY_BYTES }),
    );
    const outcome = await usage.add({
      resource: resourceOf(clientId, resource),
      clientId,
      reporter,
      seq,
      counts: counts.map(({ client_id, ...count }) => ({ clientId: client_id, ...count })),
    });
    Object.assign(logFields, { outcome });
    ctx.set("Cache-Control", "no-store");
    ctx.status = 204;
  });
  return router;
}

/** @throws {OAuthError} invalid_request */
function readReport(body: JsonValue): z.output<typeof reportBody> {
  const report = reportBody.safeParse(body);
  if (report.success) return report.data;
  throw new OAuthError("invalid_request", "The body is not a usage report.");
}
