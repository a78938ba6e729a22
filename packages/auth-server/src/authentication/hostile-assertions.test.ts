/** Hostile assertions over HTTP, at every endpoint that takes one: each is refused, and none crashes. */
import { createPublicKey, randomUUID } from "node:crypto";
import { hostileJwts, signEs256 } from "@daykey/service/test/hostile-jwts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ASSERTION_TYPE, createKeyClient, type TestKey } from "../../test/assertions.ts";
import {
  type Answer,
  ISSUER,
  startAuthServer,
  type TestAuthServer,
} from "../../test/auth-server.ts";

const ENDPOINTS = ["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"];
const AT_ONCE = 8;
/** For some hundred requests on a busy machine. */
const PATIENCE = 60_000;

let server: TestAuthServer;
let clientId: string;
let key: TestKey;
beforeAll(async () => {
  server = await startAuthServer();
  ({ clientId, key } = await createKeyClient(server));
});
afterAll(() => server.stop());

const header = (): Record<string, unknown> => ({
  alg: "ES256",
  typ: "client-authentication+jwt",
  kid: key.kid,
});

function claims(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const now = Math.floor(server.now());
  const [iat, exp] = [now, now + 300];
  return { iss: clientId, sub: clientId, aud: ISSUER, iat, exp, jti: randomUUID(), ...changes };
}

/** Claims that are not an assertion's, all signed. `aud` may be a list of the issuer, times fractions. */
function wrongClaims(): Record<string, string> {
  const jwts: Record<string, string> = {};
  const put = (name: string, value: unknown): void => {
    const text = `${name} ${JSON.stringify(value)?.slice(0, 60)}`;
    jwts[text] = signEs256(key.privateKey, header(), claims({ [name]: value }));
  };
  for (const name of ["iss", "sub", "aud", "jti", "exp"]) {
    for (const value of [undefined, null, true, [], {}, ["x"], [["x"]], { x: 1 }]) put(name, value);
  }
  for (const name of ["iss", "sub"]) {
    for (const value of [[clientId], 1, "", `${clientId} `, `${clientId}\u0000`]) put(name, value);
  }
  for (const value of [1, `${ISSUER}/`, [ISSUER, ISSUER], [ISSUER, "x"], [[ISSUER]]])
    put("aud", value);
  for (const value of [1, "", " ", "a b", "é", "x".repeat(129)]) put("jti", value);
  for (const name of ["exp", "iat", "nbf"]) {
    for (const value of [null, "1", [1], {}, true, -1, 2 ** 53, 1e300]) put(name, value);
  }
  return jwts;
}

const present = (path: string, client_assertion: string): Promise<Answer> =>
  server.post(path, {
    grant_type: "client_credentials",
    token: "x",
    client_assertion_type: ASSERTION_TYPE,
    client_assertion,
  });

const INVALID_CLIENT = "401 invalid_client Client authentication failed.";

function expected(text: string): string {
  if (/\p{Cc}/u.test(text)) return "400 invalid_request A parameter holds a control character.";
  return INVALID_CLIENT;
}

test.each(ENDPOINTS)(
  "RFC 7523 §3.2, RFC 6749 §5.2: at %s a hostile assertion is 401 invalid_client",
  async (path) => {
    const good = { header: header(), claims: claims(), privateKey: key.privateKey };
    const publicKey = createPublicKey(key.privateKey);
    const hostile = { ...hostileJwts({ ...good, publicKey }), ...wrongClaims() };
    const told: Record<string, string> = {};
    const rest = Object.entries(hostile);
    const askNext = async (): Promise<void> => {
      for (let next = rest.pop(); next; next = rest.pop()) {
        const [name, text] = next;
        const { status, body } = await present(path, text);
        told[name] = `${status} ${String(body["error"])} ${String(body["error_description"])}`;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, askNext));
    const entries = Object.entries(hostile).map(([name, text]) => [name, expected(text)]);
    expect(told).toEqual(Object.fromEntries(entries));
    const genuine = signEs256(key.privateKey, good.header, good.claims);
    expect((await present(path, genuine)).status).toBe(200);
  },
  PATIENCE,
);

test.each(ENDPOINTS)("at %s an assertion of 1 MB is refused before it is read", async (path) => {
  const text = signEs256(key.privateKey, header(), claims({ x: "x".repeat(1_000_000) }));
  expect((await present(path, text)).status).toBe(413);
  const genuine = signEs256(key.privateKey, header(), claims());
  expect((await present(path, genuine)).status).toBe(200);
});
