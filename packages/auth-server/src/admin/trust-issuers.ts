/** `/trust/issuers`: whose words about workloads count (docs/protocol.md §8). */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { problem, type ProblemError } from "@daykey/service/http/problem-error";
import { issuerFault } from "../trust/register.ts";
import type { IssuerRegistration, TrustedIssuer } from "../trust/trusted-issuer.ts";
import { MAX_ISSUERS, type TrustStore } from "../trust/trust-store.ts";
import { requireMatch } from "./conditions.ts";
import type { Recorder } from "./recorder.ts";
import { type Answer, route, type Route } from "./route.ts";
import { DEFAULT_PAGE, pageQuery } from "./schema-parts.ts";
import {
  issuerOf,
  issuerPage,
  issuerReplacement,
  issuerView,
  issuerViewOf,
  newIssuer,
} from "./trust-schema.ts";
import { nameAfter, pageFrom, requireSameState, versionTag } from "./trust-page.ts";

const tag = "trust";

export function createTrustIssuerRoutes({
  trust,
  issuer: ownIssuer,
  allowPrivateJwksUri: allowPrivate,
  recorder,
}: {
  trust: TrustStore;
  issuer: string;
  allowPrivateJwksUri: boolean;
  recorder: Recorder;
}): Route[] {
  function checked(issuer: IssuerRegistration): IssuerRegistration {
    const fault = issuerFault(issuer, { ownIssuer, allowPrivate });
    if (fault === undefined) return issuer;
    throw problem("invalid-trusted-issuer", { detail: fault });
  }

  return [
    route({
      method: "get",
      path: "/trust/issuers",
      operationId: "listTrustedIssuers",
      tag,
      summary: "A page of trusted issuers, by name",
      query: z.strictObject(pageQuery.shape),
      status: 200,
      answer: issuerPage,
      async handle({ query: { limit = DEFAULT_PAGE, cursor } }) {
        const found = await trust.listIssuers({ limit: limit + 1, after: nameAfter(cursor) });
        return { body: pageFrom(found, limit, issuerViewOf) };
      },
    }),

    route({
      method: "post",
      path: "/trust/issuers",
      operationId: "createTrustedIssuer",
      tag,
      summary: "Trust an issuer; its workloads get nothing before there is a rule",
      body: newIssuer,
      status: 201,
      answer: issuerView,
      etag: true,
      problems: [409],
      async handle({ actor, body: { name, iss, ...body } }) {
        const record = recorder({ actor, action: "trusted_issuer.create", target: name });
        const made = await trust.createIssuer(
          checked(issuerOf(name, iss, body)),
          async (tx, after) => record(tx, null, viewOf(after)),
        );
        if (made === "exists") throw problem("trusted-issuer-exists");
        if (made === "full")
          throw problem("too-many-rules", { detail: `At most ${MAX_ISSUERS} issuers.` });
        return { ...answerOf(made), location: `/trust/issuers/${name}` };
      },
    }),

    route({
      method: "get",
      path: "/trust/issuers/{name}",
      operationId: "readTrustedIssuer",
      tag,
      summary: "A trusted issuer",
      status: 200,
      answer: issuerView,
      etag: true,
      problems: [404],
      async handle({ params: { name } }) {
        const found = await trust.readIssuer(name);
        if (!found) throw unknownIssuer();
        return answerOf(found);
      },
    }),

    route({
      method: "put",
      path: "/trust/issuers/{name}",
      operationId: "replaceTrustedIssuer",
      tag,
      summary: "Replace all of an issuer but its iss; what counts no more ends its rules' tokens",
      body: issuerReplacement,
      ifMatch: "required",
      status: 200,
      answer: issuerView,
      etag: true,
      problems: [404],
      async handle({ actor, params: { name }, ifMatch, body }) {
        const { iss, ...rest } = body;
        const changed = await trust.changeIssuer(
          name,
          (before) => {
            requireMatch(ifMatch, versionTag(before));
            const view = viewOf(before);
            requireSameState(view, { ...body, ...(iss !== undefined && { iss }) }, STATE);
            const after = issuerOf(name, before.iss, rest);
            return isDeepStrictEqual(viewOf({ ...before, ...after }), view)
              ? undefined
              : checked(after);
          },
          async (tx, before, after) => {
            const action =
              before.enabled && !after.enabled ? "trusted_issuer.disable" : "trusted_issuer.change";
            await recorder({ actor, action, target: name })(tx, viewOf(before), viewOf(after));
          },
        );
        if (!changed) throw unknownIssuer();
        return answerOf(changed);
      },
    }),

    route({
      method: "delete",
      path: "/trust/issuers/{name}",
      operationId: "deleteTrustedIssuer",
      tag,
      summary: "Trust an issuer no more: its rules go too, and their tokens end",
      ifMatch: "optional",
      status: 204,
      problems: [404],
      async handle({ actor, params: { name }, ifMatch }) {
        const record = recorder({ actor, action: "trusted_issuer.delete", target: name });
        const isRemoved = await trust.removeIssuer(
          name,
          (before) => requireMatch(ifMatch, versionTag(before)),
          async (tx, before, rules) => record(tx, { ...viewOf(before), rules: [...rules] }, null),
        );
        if (!isRemoved) throw unknownIssuer();
        return {};
      },
    }),
  ];
}

const STATE = ["name", "iss", "version", "created_at", "updated_at"] as const;

/** Keys as plain facts: what of a JWK is kept is text. */
function viewOf(issuer: TrustedIssuer) {
  const { jwks, ...view } = issuerViewOf(issuer);
  return { ...view, jwks: jwks && { keys: jwks.keys as Record<string, string>[] } };
}

function answerOf(issuer: TrustedIssuer): Answer {
  return { body: issuerViewOf(issuer), etag: versionTag(issuer) };
}

function unknownIssuer(): ProblemError {
  return problem("unknown-trusted-issuer");
}
