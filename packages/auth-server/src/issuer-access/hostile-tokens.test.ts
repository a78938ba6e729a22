/** Hostile access tokens over HTTP, wherever the auth-server takes one: each is refused, and none crashes. */
import { randomUUID } from "node:crypto";
import { isBearerToken } from "@daykey/common/bearer";
import { type GoodJwt, hostileJwts, signEs256 } from "@daykey/service/test/hostile-jwts";
import { TOKEN_EXCHANGE_GRANT } from "@daykey/common/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ISSUER,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "../../test/auth-server.ts";
import { ANY_TOKEN } from "../../test/exchange.ts";
import { ownKey } from "../../test/own-key.ts";

type Claims = Record<string, unknown>;
/** What came: the status and what a caller is told. */
type Told = string;

let server: TestAuthServer;
let client: TestClient;
let good: GoodJwt & { claims: Claims };
let token: string;
beforeAll(async () => {
  server = await startAuthServer({ config: { tokenExchange: true } });
  client = await server.createClient({
    scopes: ["daykey:admin", "revocations:read", "introspect"],
    resources: [ISSUER],
    // Some tokens here stand below another grant.
    grantTypes: ["client_credentials", "refresh_token", TOKEN_EXCHANGE_GRANT],
    exchange: ANY_TOKEN,
  });
  await server.look();
  const answer = await server.clientCredentials(client, { resource: ISSUER });
  token = String(answer.body["access_token"]);
  const [header, claims] = token.split(".").slice(0, 2).map(decode);
  good = { header: header!, claims: claims!, ...(await ownKey(server, String(header?.["kid"]))) };
});
afterAll(() => server.stop());

function decode(part: string): Claims {
  return JSON.parse(Buffer.from(part, "base64url").toString()) as Claims;
}

const signed = (changes: Claims): string =>
  signEs256(good.privateKey, good.header, { ...good.claims, ...changes });

/** Claims that are not an access token's, or not this server's, all signed. */
function wrongClaims(): Record<string, string> {
  const jwts: Record<string, string> = {};
  for (const [name, value] of Object.entries(good.claims)) {
    const wrong: unknown[] = [null, true, [], {}, [value], { x: value }, undefined];
    const isNumber = typeof value === "number";
    wrong.push(...(isNumber ? ["1", String(value), -1, 1.5, 2 ** 53, 1e300] : [1, 0]));
    for (const other of wrong) {
      jwts[`${name} ${JSON.stringify(other)?.slice(0, 40)}`] = signed({ [name]: other });
    }
  }
  for (const nbf of [null, true, "0", [0], -1, 1.5, 1e300])
    jwts[`nbf ${String(nbf)}`] = signed({ nbf });
  for (const quota of [null, 1, {}, [{}], [{ limit: 1 }]]) {
    jwts[`quota ${JSON.stringify(quota)}`] = signed({ quota });
  }
  for (const anc of [null, 1, "x", {}, [], [{}], [{ gid: "x" }]]) {
    jwts[`anc ${JSON.stringify(anc)}`] = signed({ anc });
  }
  const sixDeep = {
    sub: "1",
    act: { sub: "2", act: { sub: "3", act: { sub: "4", act: { sub: "5", act: { sub: "6" } } } } },
  };
  for (const act of [null, 1, "x", [], {}, { sub: 1 }, { sub: "x", act: null }, sixDeep]) {
    jwts[`act ${JSON.stringify(act)}`] = signed({ act });
  }
  for (const iss of [`${ISSUER}/`, ISSUER.toUpperCase(), "https://other.example", ""]) {
    jwts[`iss ${iss}`] = signed({ iss });
  }
  return jwts;
}

/** A token's claims where a grant like its own, with these changes, is above its own. */
const below = (changes: Claims): Claims => {
  const { client_id, cred, ep } = good.claims;
  return { anc: [{ gid: randomUUID(), client_id, cred, ep, ...changes }] };
};

/** Genuine, and good for nothing: now, here, or any more. */
function deadClaims(): Record<string, [token: string, reason: string]> {
  const now = Math.floor(server.now());
  // Another grant, as revoking one of these ends it.
  const of = (changes: Claims): string => signed({ gid: randomUUID(), ...changes });
  return {
    "its end has come": [of({ iat: now - 700, exp: now - 1 }), "expired"],
    "it begins later": [of({ nbf: now + 100 }), "wrong_nbf"],
    "it lives too long": [of({ iat: now, exp: now + 3601 }), "lives_too_long"],
    "it lives for ever": [of({ exp: Number.MAX_SAFE_INTEGER }), "lives_too_long"],
    "it is of the future": [of({ iat: now + 400, exp: now + 900 }), "issued_in_the_future"],
    "an unknown client's": [of({ client_id: "nobody" }), "no_rights"],
    "another credential's": [of({ cred: "aaaaaaaa" }), "no_rights"],
    "one below an unknown client's": [of(below({ client_id: "nobody" })), "no_rights"],
    "one below another credential's": [of(below({ cred: "aaaaaaaa" })), "no_rights"],
  };
}

const askers = {
  introspection: async (text: string): Promise<Told> => {
    const { status, text: body } = await server.postAs(client, "/oauth2/introspect", {
      token: text,
    });
    return `${status} ${body}`;
  },
  revocation: async (text: string): Promise<Told> => {
    const answer = await server.postAs(client, "/oauth2/revoke", { token: text });
    return `${answer.status} ${answer.text}`;
  },
};

/** The routes that take the token as a credential, and what they say to a good one. */
const ROUTES = {
  "the admin API": { method: "GET", path: "/admin/v1/clients", isPrivate: true, status: 200 },
  "the revocation feed": { method: "HEAD", path: "/revocations", isPrivate: false, status: 200 },
  "reports of usage": { method: "POST", path: "/usage", isPrivate: false, status: 400 },
} as const;
type Route = keyof typeof ROUTES;

/** For some hundred requests on a busy machine. */
const PATIENCE = 60_000;

async function bearer(name: Route, text: string): Promise<Told> {
  const { method, path, isPrivate } = ROUTES[name];
  const answer = await fetch((isPrivate ? server.privateUrl : server.url) + path, {
    method,
    headers: { authorization: `Bearer ${text}`, "content-type": "application/json" },
    ...(method === "POST" && { body: "{}" }),
  });
  await answer.arrayBuffer();
  const error = /error="(\w+)"/.exec(answer.headers.get("www-authenticate") ?? "")?.[1];
  return error === undefined ? String(answer.status) : `${answer.status} ${error}`;
}

const AT_ONCE = 8;

async function all(
  tokens: Record<string, string>,
  ask: (text: string) => Promise<Told>,
): Promise<Record<string, Told>> {
  const told: Record<string, Told> = {};
  const rest = Object.entries(tokens);
  const askNext = async (): Promise<void> => {
    for (let next = rest.pop(); next; next = rest.pop()) {
      const [name, text] = next;
      told[name] = await ask(text).catch(() => "not sent");
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, askNext));
  return told;
}

const each = (tokens: object, told: (name: string) => Told): Record<string, Told> =>
  Object.fromEntries(Object.keys(tokens).map((name) => [name, told(name)]));

const isActive = async (): Promise<boolean> => {
  const { body } = await server.postAs(client, "/oauth2/introspect", { token });
  return body["active"] === true;
};

describe("a token that is none of ours", () => {
  const tokens = (): Record<string, string> => ({ ...hostileJwts(good), ...wrongClaims() });

  test.each([
    ["RFC 7662 §2.2: at introspection it is not active", "introspection", '200 {"active":false}'],
    [
      "RFC 7009 §2.2: at revocation it is as good as revoked, and nothing is",
      "revocation",
      '200 {"state":"unknown_token"}',
    ],
  ] as const)(
    "%s",
    async (_title, endpoint, refusal) => {
      const expected = (text: string): Told =>
        // Control characters are refused in any form (H7).
        /\p{Cc}/u.test(text)
          ? '400 {"error":"invalid_request","error_description":"A parameter holds a control character."}'
          : refusal;
      const hostile = tokens();
      const told = await all(hostile, askers[endpoint]);
      expect(told).toEqual(each(hostile, (name) => expected(hostile[name] ?? "")));
      expect(await isActive()).toBe(true);
    },
    PATIENCE,
  );

  test.each(Object.keys(ROUTES) as Route[])(
    "RFC 6750 §3.1: at %s it is no credential",
    async (route) => {
      const served = String(ROUTES[route].status);
      expect(await bearer(route, token)).toBe(served);
      const expected = (text: string): Told => {
        // No client can put these into a header.
        if (/[\0\n]/.test(text.trim())) return "not sent";
        if (!isBearerToken(text.trim())) return "400 invalid_request";
        // Spaces around a token are none of it (RFC 9110 §5.5, §11.4).
        return text === text.trim() ? "401 invalid_token" : served;
      };
      const hostile = tokens();
      const told = await all(hostile, (text) => bearer(route, text));
      expect(told).toEqual(each(hostile, (name) => expected(hostile[name] ?? "")));
    },
    PATIENCE,
  );
});

describe("a token that is ours and dead", () => {
  test("RFC 7662 §2.2, L2: at introspection it is not active, and the log says why", async () => {
    const dead = deadClaims();
    const told: Record<string, unknown> = {};
    for (const [name, [text]] of Object.entries(dead)) {
      told[name] = [await askers.introspection(text), server.lines.at(-1)?.["reason"]];
    }
    const expected = Object.entries(dead).map(([name, [, reason]]) => [
      name,
      // Not its client's, so its client's state is none of the caller's business.
      ['200 {"active":false}', name === "an unknown client's" ? undefined : reason],
    ]);
    expect(told).toEqual(Object.fromEntries(expected));
  });

  test.each(Object.keys(ROUTES) as Route[])(
    "RFC 6750 §3.1, L2: at %s it is refused, and the log says why",
    async (route) => {
      const dead = deadClaims();
      const told: Record<string, unknown> = {};
      for (const [name, [text]] of Object.entries(dead)) {
        told[name] = [await bearer(route, text), server.lines.at(-1)?.["reason"]];
      }
      const expected = Object.entries(dead).map(([name, [, reason]]) => [
        name,
        ["401 invalid_token", reason],
      ]);
      expect(told).toEqual(Object.fromEntries(expected));
    },
  );
});

test("T13: revoking a grant ends what is below it, and no sibling", async () => {
  const gid = randomUUID();
  const sibling = signed({ gid: randomUUID(), ...below({}) });
  const leaf = signed({ gid: randomUUID(), ...below({ gid }) });
  expect(await bearer("the revocation feed", leaf)).toBe("200");
  expect(await askers.revocation(signed({ gid }))).toMatch(/^200/);
  await server.look();
  expect(await askers.introspection(leaf)).toBe('200 {"active":false}');
  expect(server.lines.at(-1)?.["reason"]).toBe("revoked");
  expect(await bearer("the revocation feed", leaf)).toBe("401 invalid_token");
  expect(await bearer("the revocation feed", sibling)).toBe("200");
});

test("a token of 1 MB is refused before it is read, and the server goes on", async () => {
  const text = signed({ x: "x".repeat(1_000_000) });
  const bodies = [await askers.introspection(text), await askers.revocation(text)];
  expect(bodies.map((told) => told.slice(0, 3))).toEqual(["413", "413"]);
  for (const route of Object.keys(ROUTES) as Route[]) {
    expect(await bearer(route, text), route).toBe("431");
  }
  expect(await isActive()).toBe(true);
});
