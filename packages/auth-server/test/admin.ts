/** The admin API of a test server, as an admin with a token of its own calls it. */
import { expect } from "vitest";
import { createOpenApiCheck, type Json, type OpenApiCheck } from "./openapi.ts";
import { API, ISSUER, type TestAuthServer, type TestClient } from "./auth-server.ts";

export interface AdminAnswer {
  status: number;
  headers: Headers;
  /** Parsed; undefined without a body. */
  body: Json;
  text: string;
  etag: string;
}

/** A registration that can be posted. */
export const NEW_CLIENT = {
  name: "billing",
  auth_methods: ["client_secret_hash_day", "client_secret_hash_once"],
  grant_types: ["client_credentials", "refresh_token"],
  scopes: ["time:read"],
  resources: [API],
};

export interface TestAdmin {
  client: TestClient;
  token: string;
  /** `path` begins after `/admin/v1`. A body of text is sent as it is, anything else as JSON. */
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<AdminAnswer>;
  get(path: string): Promise<AdminAnswer>;
  post(path: string, body?: unknown): Promise<AdminAnswer>;
  /** Compares each of these answers with the document that the server serves. */
  openapi: OpenApiCheck;
  /** Registers a client like `NEW_CLIENT` and returns the answer. */
  create(registration?: object): Promise<AdminAnswer>;
  /** All that the audit log tells, oldest first. */
  audit(): Promise<Json[]>;
}

/** An admin made without the admin API. */
export async function createTestAdmin(server: TestAuthServer): Promise<TestAdmin> {
  const client = await server.createClient({
    name: "an admin",
    scopes: ["daykey:admin"],
    resources: [ISSUER],
    grantTypes: ["client_credentials"],
  });
  await server.look();
  const answer = await server.clientCredentials(client);
  if (answer.status !== 200) throw new Error(`no admin token: ${answer.text}`);
  return adminWith(server, client, String(answer.body["access_token"]));
}

/** @param token empty for none */
export async function adminWith(
  server: TestAuthServer,
  client: TestClient,
  token: string,
): Promise<TestAdmin> {
  const document = await fetch(`${server.privateUrl}/admin/v1/openapi.json`);
  const openapi = createOpenApiCheck(await document.json());
  const call: TestAdmin["call"] = async (method, path, body, headers = {}) => {
    const response = await fetch(`${server.privateUrl}/admin/v1${path}`, {
      method,
      headers: {
        ...(token !== "" && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const fault = openapi.faultOf({
      method,
      path: new URL(response.url).pathname,
      status: response.status,
      contentType: response.headers.get("content-type"),
      body: text === "" ? undefined : JSON.parse(text),
    });
    expect(fault, text).toBeUndefined();
    return {
      status: response.status,
      headers: response.headers,
      body: text === "" ? undefined : JSON.parse(text),
      text,
      etag: response.headers.get("etag") ?? "",
    };
  };
  return {
    client,
    token,
    openapi,
    call,
    get: async (path) => call("GET", path),
    post: async (path, body) => call("POST", path, body),
    async create(registration = {}) {
      const made = await call("POST", "/clients", { ...NEW_CLIENT, ...registration });
      expect(made.status, made.text).toBe(201);
      return made;
    },
    async audit() {
      const { body } = await call("GET", "/audit?limit=200");
      return (body.items as Json[]).toReversed();
    },
  };
}

/** The statuses of answers that came at once, sorted. */
export function statusesOf(answers: readonly AdminAnswer[]): number[] {
  return answers.map(({ status }) => status).toSorted((a, b) => a - b);
}
