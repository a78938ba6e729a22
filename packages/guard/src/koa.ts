/**
 * The guard of every route: exactly one credential, valid, with the route's scope, within its quotas, or
 * a refusal. It stands before anything is parsed or computed.
 */
import type { AppMiddleware } from "@daykey/service/http/router";
import type { RouteQuota } from "./quota/policy.ts";
import type { ChargeQuota } from "./quota/quota.ts";
import {
  type Authenticate,
  type CredentialKind,
  type Holder,
  InvalidCredential,
} from "./access.ts";
import { readCredential } from "./credential.ts";
import type { Refusals } from "./refusals.ts";

export interface GuardOptions {
  /** Clients for whom alone it is. */
  only?: readonly string[];
  /** The route's own, beside those of the credential. */
  quota?: RouteQuota | undefined;
}

/** A middleware that lets a request with this scope through, for one route or for all of a router. */
export type RequireScope = (scope: string, options?: GuardOptions) => AppMiddleware;

/** One for each kind of credential that is served; others are not credentials here. */
export type Authenticators = Readonly<
  Record<"access_token" | "api_key", Authenticate> & Partial<Record<CredentialKind, Authenticate>>
>;

export function createRequireScope({
  refusals,
  authenticators,
  charge,
}: {
  /** How it says no: `createRefusals`, or other words of one's own. */
  refusals: Refusals;
  authenticators: Authenticators;
  charge: ChargeQuota;
}): RequireScope {
  const accepted = new Set(Object.keys(authenticators) as CredentialKind[]);

  return (scope, { only, quota } = {}) =>
    async (ctx, next) => {
      const { logFields } = ctx.state;
      const note = ({ clientId, credential, grant }: Holder): void =>
        void Object.assign(logFields, { client: clientId, kid: credential, grant });

      // 1. Exactly one credential.
      const presented = readCredential(ctx.req.headers, ctx.querystring, accepted);
      if (presented.kind === "none") throw refusals.noCredential(scope);
      if (presented.kind === "malformed") throw refusals.malformed(presented.detail, scope);
      const { kind, text } = presented;
      logFields["via"] = kind;

      // 2. Whose it is.
      const authenticate = authenticators[kind];
      if (!authenticate) throw new TypeError("readCredential: a kind that is not accepted");
      const access = await authenticate(text, ctx.req, ctx.state.addressKey).catch(
        (error: unknown) => {
          if (error instanceof InvalidCredential && error.holder) note(error.holder);
          throw refusals.because(error, kind, scope);
        },
      );
      note(access);
      ctx.state.clientId = access.clientId;

      // 3. What it may.
      if (!access.scope.includes(scope)) throw refusals.insufficientScope(scope, kind);
      if (only && !only.includes(access.clientId)) throw refusals.otherClient(kind, scope);

      // 4. Whether its quotas have room.
      const { headers, wouldRefuse } = await charge(access, scope, quota);
      if (wouldRefuse) logFields["quota"] = "would_refuse";
      ctx.set(headers);
      await next();
    };
}
