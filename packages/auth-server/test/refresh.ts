/** What the tests of refreshing share: a token taken apart, its grant's row, time passed for that row. */
import { expect } from "vitest";
import {
  decodePayload,
  type RefreshToken,
  splitRefreshToken,
} from "../src/token/refresh-token-format.ts";
import type { Answer, TestAuthServer, TestClient } from "./auth-server.ts";

/** A grant as its client holds it. */
export interface OpenedGrant {
  id: string;
  /** Its refresh token with number 0. */
  token: string;
}

export async function openGrant(
  server: TestAuthServer,
  client: TestClient,
  form: Record<string, string> = {},
): Promise<OpenedGrant> {
  const answer = await server.clientCredentials(client, form);
  expect(answer.status, answer.text).toBe(200);
  const token = refreshTokenOf(answer);
  return { id: readToken(token).grant.id, token };
}

/** Refreshes, which must succeed, and returns the successor. */
export async function rotate(
  server: TestAuthServer,
  client: TestClient,
  token: string,
): Promise<string> {
  const answer = await server.refresh(client, token);
  expect(answer.status, answer.text).toBe(200);
  return refreshTokenOf(answer);
}

export function refreshTokenOf({ body }: Answer): string {
  return String(body["refresh_token"]);
}

/** What a refresh token says; its seal is not checked. */
export function readToken(token: string): RefreshToken {
  const parts = splitRefreshToken(token, "");
  const read = parts && decodePayload(parts.payload);
  if (!read) throw new TypeError(`not a refresh token: ${token}`);
  return read;
}

export function keyIdOf(token: string): string {
  return token.split(".")[1] ?? "";
}

export interface GrantRow {
  client_id: string;
  seq: number;
  rotated_at: Date | null;
  revoked_at: Date | null;
  revoke_reason: string | null;
  expires_at: Date;
}

/** A test database, or a transaction on it. */
type Rows = Pick<TestAuthServer["database"], "query">;

export async function grantRow(database: Rows, grantId: string): Promise<GrantRow | undefined> {
  const [row] = await database.query<GrantRow>(
    `select client_id, seq, rotated_at, revoked_at, revoke_reason, expires_at
     from daykey.grants where id = $1`,
    [grantId],
  );
  return row;
}

/** Lets time pass since the grant's last rotation. */
export async function ageRotation(database: Rows, grantId: string, seconds: number): Promise<void> {
  await database.query(
    "update daykey.grants set rotated_at = rotated_at - make_interval(secs => $2) where id = $1",
    [grantId, seconds],
  );
}

/** The one answer to every refresh token that cannot be used, byte for byte. */
export function expectRefused({ status, text, headers }: Answer): void {
  expect(status, text).toBe(400);
  expect(text).toBe(
    '{"error":"invalid_grant","error_description":"The refresh token cannot be used."}',
  );
  const { date, "x-request-id": requestId, ...rest } = Object.fromEntries(headers);
  expect([date, requestId]).toEqual([expect.any(String), expect.any(String)]);
  expect(rest).toEqual({
    "cache-control": "no-store",
    connection: "keep-alive",
    "content-length": String(text.length),
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "content-type": "application/json; charset=utf-8",
    "keep-alive": "timeout=5",
    pragma: "no-cache",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  });
}

/** Names of the security events of a grant, in order. */
export function securityEvents({ lines }: TestAuthServer, grantId: string): unknown[] {
  return lines
    .filter((line) => line["msg"] === "security event" && line["grant"] === grantId)
    .map((line) => line["event"]);
}

/** The private reason of the last answer to a refresh of this grant. */
export function lastReason({ lines }: TestAuthServer): unknown {
  return lines.findLast((line) => line["msg"] === "request")?.["reason"];
}
