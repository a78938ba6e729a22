/**
 * `POST /tokens`: the token request of the article that this product grew from, with its envelope and
 * its error codes (docs/protocol.md §4.9). Only the words are its own: the tokens come through the
 * phases of `endpoint.ts`.
 */
import type { IncomingMessage } from "node:http";
import { formatInstant } from "@daykey/common/clock";
import { isJsonObject, type JsonValue } from "@daykey/common/json-numbers";
import { OAuthError } from "@daykey/common/oauth-error";
import { FORM_MEDIA_TYPE, JSON_MEDIA_TYPE } from "@daykey/common/media-types";
import { PATHS } from "@daykey/common/protocol";
import { answerJson } from "@daykey/service/http/json-answer";
import { readJson } from "@daykey/service/http/json-body";
import { charsetOf } from "@daykey/service/http/media-type";
import { type AppRouter, createRouter, type ErrorBody } from "@daykey/service/http/router";
import { readForm } from "../authentication/form.ts";
import type { IssueTokens } from "./endpoint.ts";

const FIELDS = ["client_id", "client_secret_hash"] as const;
const BODY_BYTES = 8192;

/** The article's numbers, and 1000 for what is no fault of the caller. */
const ERRORS = {
  failed: { err_code: 1000, err_mesg: "Not available" },
  unauthorized: { err_code: 1001, err_mesg: "Not Authorized" },
  missing: { err_code: 1003, err_mesg: "Missing field" },
  denied: { err_code: 1010, err_mesg: "Access denied" },
} as const;

const MISSING = "missing_field";

export function createSeedTokenEndpoint(issueTokens: IssueTokens): AppRouter {
  const router = createRouter();
  router.post(PATHS.seedTokens, async (ctx) => {
    ctx.state.errorBody = failureEnvelope;
    const { tokens, expiresAt } = await issueTokens(ctx, readFields);
    ctx.status = 201;
    const answer = {
      status: 1,
      data: {
        token: tokens.access_token,
        expires_on: formatInstant(expiresAt),
        refresh_token: tokens.refresh_token ?? "",
      },
      err_code: 0,
      err_mesg: "",
      err_desc: "",
    };
    answerJson(ctx, JSON.stringify(answer));
  });
  return router;
}

const failureEnvelope: ErrorBody = (error) => {
  const kind =
    error.reason === MISSING
      ? ERRORS.missing
      : error.status === 401
        ? ERRORS.unauthorized
        : error.status < 500
          ? ERRORS.denied
          : ERRORS.failed;
  return { status: 0, data: {}, ...kind, err_desc: error.detail ?? error.title };
};

/** @throws {OAuthError} invalid_request, with the names of missing fields as its description */
async function readFields(req: IncomingMessage): Promise<ReadonlyMap<string, string>> {
  const given = await readMembers(req);
  const missing = FIELDS.filter((name) => !given.has(name));
  if (missing.length > 0) {
    throw new OAuthError("invalid_request", missing.join(","), { detail: MISSING });
  }
  return new Map([["grant_type", "client_credentials"], ...given]);
}

/** The article's two fields and no other; an empty one counts as absent. */
async function readMembers(req: IncomingMessage): Promise<ReadonlyMap<string, string>> {
  if (charsetOf(req, JSON_MEDIA_TYPE) !== undefined) {
    const body = await readJson(req, { limitBytes: BODY_BYTES });
    if (!isJsonObject(body)) throw refusal("The request body must be a JSON object.");
    return fields((name) => textOf(body[name]));
  }
  if (charsetOf(req, FORM_MEDIA_TYPE) === undefined) {
    throw refusal("The request body must be JSON or a form, in UTF-8.", 415);
  }
  const form = await readForm(req);
  return fields((name) => form.get(name));
}

function fields(read: (name: string) => string | undefined): Map<string, string> {
  const given = FIELDS.map((name) => [name, read(name) ?? ""] as const);
  return new Map(given.filter(([, value]) => value !== ""));
}

/** The article's client ids are integers, and JSON has those: they are taken as their digits. */
function textOf(value: JsonValue | undefined): string | undefined {
  if (value === undefined || value === null || typeof value === "string") return value ?? undefined;
  if (typeof value === "bigint") return value.toString();
  throw refusal("client_id and client_secret_hash must be texts.");
}

function refusal(description: string, status = 400): OAuthError {
  return new OAuthError("invalid_request", description, { status });
}
