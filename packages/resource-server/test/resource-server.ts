/** A real resource server before an issuer of the test's own, with a clock that a test moves and its log in memory. */
import { connect } from "node:net";
import { createTestLog } from "@daykey/service/test/log";
import type { Tracing } from "@daykey/service/observe/tracing";
import { expect } from "vitest";
import type { FeedLimits } from "@daykey/guard/revocation/revocations";
import type { ResourceServerConfig } from "../src/config.ts";
import { createResourceServer } from "../src/server.ts";
import { startAuthServer, type TestAuthServer } from "./auth-server.ts";
import {
  createSigningKey,
  type SigningKey,
  signParts,
  startIssuer,
  type TestIssuer,
} from "./issuer.ts";
import { until } from "./until.ts";

export const ISSUER = "https://auth.example.test";
export const RESOURCE = "https://api.example.test";
export const CLIENT = "billing-cron";

type Fields = Record<string, unknown>;

export interface Answer {
  status: number;
  /** By lower-case name. */
  headers: Record<string, string>;
  text: string;
  /** The text as JSON, or undefined. */
  body: unknown;
}

export interface TestResourceServer {
  url: string;
  privateUrl: string;
  issuer: TestIssuer;
  /** Where its revocation feed comes from. */
  authServer: TestAuthServer;
  /** An ES256 key, published from the start. */
  key: SigningKey;
  /** What was logged, parsed. */
  lines: Fields[];
  logText(): string;
  now(): number;
  /** Moves the clock by seconds. */
  advance(seconds: number): void;
  /** Lets seconds pass for the age of the feed alone. */
  pass(seconds: number): void;
  /** The claims of a valid token with changes; undefined leaves a claim out. */
  claims(changes?: Fields): Fields;
  header(changes?: Fields): Fields;
  /** A valid token but for the changes, its signature genuine. */
  token(options?: { claims?: Fields; header?: Fields; key?: SigningKey }): string;
  /** `GET /time` with this token. */
  time(token: string): Promise<Answer>;
  request(
    target: string,
    options?: { token?: string; headers?: Record<string, string>; body?: string },
  ): Promise<Answer>;
  /** Sends bytes to the public port; the answers until the server closes, `Connection: close` is the caller's. */
  exchange(request: string): Promise<string>;
  stop(): Promise<void>;
}

export interface Options {
  config?: Partial<ResourceServerConfig>;
  /** Runs before the server starts, so before it first asks for keys. */
  before?: (issuer: TestIssuer, authServer: TestAuthServer) => void;
  feedLimits?: Partial<FeedLimits>;
  /** Between reports of usage; else there is one at the end alone. */
  usageSeconds?: number;
  /** By what address the server reaches the auth-server at this one. */
  reach?: (url: string) => Promise<string>;
  /** The server is not waited for to hear of revocations. */
  isDeaf?: boolean;
  tracing?: Tracing;
}

/** Unless told otherwise, it knows that nothing is revoked. */
export async function startResourceServer(options: Options = {}): Promise<TestResourceServer> {
  const issuer = await startIssuer();
  let now = 1_795_262_400;
  const authServer = await startAuthServer(() => now);
  const key = createSigningKey();
  issuer.publish(key.jwk);
  options.before?.(issuer, authServer);
  let passed = 0;
  const { tracing } = options;
  const { log, lines, text: logText } = createTestLog("debug", tracing?.logFields);
  const config: ResourceServerConfig = {
    resource: RESOURCE,
    issuer: ISSUER,
    credential: authServer.credential,
    credentialFile: undefined,
    authServerUrl: (await options.reach?.(authServer.url)) ?? authServer.url,
    jwksUri: issuer.jwksUri,
    stalePolicy: { kind: "deny" },
    algorithms: ["ES256", "RS256", "Ed25519"],
    accessTokenMaxSeconds: 3600,
    dpop: { required: false, nonceKey: undefined },
    simpleSignatures: undefined,
    answerKeys: undefined,
    public: { host: "127.0.0.1", port: 0 },
    private: { host: "127.0.0.1", port: 0 },
    tls: undefined,
    clientCertificates: "off",
    trustedProxies: [],
    requestsPerAddress: 0,
    keepAliveSeconds: 5,
    workers: 1,
    stopDelaySeconds: 0,
    traces: undefined,
    tokenCacheSize: 1000,
    seedDailyLimit: 0,
    primes: { threads: 1, maxQueue: 10 },
    store: { kind: "memory" },
    quota: { mode: "enforce", storeDown: "memory" },
    logLevel: "debug",
    ...options.config,
  };
  const server = await createResourceServer(config, {
    clock: () => now,
    log,
    tracing,
    elapsed: () => passed,
    feedLimits: options.feedLimits ?? {},
    usageSeconds: options.usageSeconds ?? 3600,
  }).catch(async (error: unknown) => {
    await Promise.all([issuer.stop(), authServer.stop()]);
    throw error;
  });
  if (options.isDeaf !== true) {
    await until("live", () => lines.some(({ event }) => event === "revocations_live"));
  }
  const url = `http://127.0.0.1:${server.publicPort}`;

  let serial = 0;
  const claims: TestResourceServer["claims"] = (changes) => ({
    iss: ISSUER,
    sub: CLIENT,
    client_id: CLIENT,
    aud: RESOURCE,
    iat: Math.floor(now),
    exp: Math.floor(now) + 600,
    jti: `token-${(serial += 1)}`,
    scope: "time:read primes:check",
    gid: "019abcde-0000-7000-8000-000000000001",
    ep: 0,
    cred: "k3f9a1c2",
    ...changes,
  });
  const header: TestResourceServer["header"] = (changes) => ({
    alg: key.algorithm,
    typ: "at+jwt",
    kid: key.kid,
    ...changes,
  });

  const request: TestResourceServer["request"] = async (target, { token, headers, body } = {}) => {
    const [method = "", path = ""] = target.split(" ");
    const authorization = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    const response = await fetch(url + path, {
      method,
      headers: { ...authorization, ...headers },
      ...(body !== undefined && { body }),
    });
    const { status } = response;
    return { ...answerOf(await response.text()), status, headers: plain(response.headers) };
  };

  return {
    url,
    privateUrl: `http://127.0.0.1:${server.privatePort}`,
    issuer,
    authServer,
    key,
    lines,
    logText,
    now: () => now,
    advance: (seconds) => void (now += seconds),
    pass: (seconds) => void (passed += seconds),
    claims,
    header,
    token: (changed = {}) => {
      const signer = changed.key ?? key;
      const names = { alg: signer.algorithm, kid: signer.kid };
      return signParts(signer, header({ ...names, ...changed.header }), claims(changed.claims));
    },
    time: (token) => request("GET /time", { token }),
    request,
    async exchange(bytes) {
      const socket = connect(server.publicPort, "127.0.0.1");
      let received = "";
      // A server that stops reading may reset the connection.
      socket.on("error", () => {}).setEncoding("latin1");
      socket.on("data", (chunk: string) => (received += chunk));
      socket.write(bytes, "latin1");
      await new Promise((resolve) => socket.once("close", resolve));
      return received;
    },
    async stop() {
      await server.stop();
      await Promise.all([issuer.stop(), authServer.stop()]);
    },
  };
}

function plain(headers: Headers): Record<string, string> {
  return Object.fromEntries(headers);
}

function answerOf(text: string): { text: string; body: unknown } {
  try {
    return { text, body: JSON.parse(text) as unknown };
  } catch {
    return { text, body: undefined };
  }
}

/** The one answer in what `exchange` gave. */
export function parseAnswer(raw: string): Answer {
  const [head = "", ...rest] = raw.split("\r\n\r\n");
  const [statusLine = "", ...fields] = head.split("\r\n");
  const headers = fields.map((field) => {
    const colon = field.indexOf(": ");
    return [field.slice(0, colon).toLowerCase(), field.slice(colon + 2)] as const;
  });
  const status = Number(statusLine.split(" ")[1]);
  return { ...answerOf(rest.join("\r\n\r\n")), status, headers: Object.fromEntries(headers) };
}

/**
 * What a refusal tells its caller: status, challenge and the whole body. The scope in the challenge,
 * which is the route's, stays in only where it is what is missing.
 */
export function refusalOf({ status, headers, body }: Answer): Refusal {
  const withoutScope = headers["www-authenticate"]?.replace(
    /(?<!error="insufficient_scope", )scope="(?:time:read|primes:check)", /,
    "",
  );
  return { status, challenge: withoutScope, body };
}

export interface Refusal {
  status: number;
  challenge: string | undefined;
  body: unknown;
}

/** RFC 6750 §3 with the parameter of RFC 9728 §5.1. */
function challenge(error = ""): string {
  const metadata = `resource_metadata="${RESOURCE}/.well-known/oauth-protected-resource"`;
  return `Bearer realm="${RESOURCE}", ${error && `${error}, `}${metadata}`;
}

export const NO_CREDENTIAL: Refusal = {
  status: 401,
  challenge: challenge(),
  body: { type: "about:blank", title: "A credential is required", status: 401 },
};

export const INVALID_TOKEN: Refusal = {
  status: 401,
  challenge: challenge('error="invalid_token"'),
  body: {
    type: "urn:daykey:problem:invalid-token",
    title: "The access token is not valid here",
    status: 401,
  },
};

export const KEYS_UNAVAILABLE: Refusal = {
  status: 503,
  challenge: undefined,
  body: {
    type: "urn:daykey:problem:keys-unavailable",
    title: "Access tokens cannot be checked now",
    status: 503,
  },
};

/** @param detail what is wrong with the credential */
export function malformed(detail: string): Refusal {
  return {
    status: 400,
    challenge: challenge('error="invalid_request"'),
    body: {
      type: "urn:daykey:problem:invalid-request",
      title: "The request is malformed",
      status: 400,
      detail,
    },
  };
}

/** @param scope what the token lacks */
export function insufficientScope(scope: string): Refusal {
  return {
    status: 403,
    challenge: challenge(`error="insufficient_scope", scope="${scope}"`),
    body: {
      type: "urn:daykey:problem:insufficient-scope",
      title: "The credential lacks a scope",
      status: 403,
      detail: `This needs the scope ${scope}.`,
    },
  };
}

/**
 * The token is refused with the one public answer, the log knows why, and the server goes on.
 * @param name which of several tokens it is
 */
export async function expectRefused(
  api: TestResourceServer,
  token: string,
  reason: string,
  name = reason,
): Promise<void> {
  const answer = await api.time(token);
  expect(refusalOf(answer), name).toEqual(INVALID_TOKEN);
  expect(api.lines.at(-1), name).toMatchObject({ status: 401, error: "invalid-token", reason });
  expect(await api.time(api.token()), `a valid token after ${name}`).toMatchObject({ status: 200 });
}
