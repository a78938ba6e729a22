import { expect, test } from "vitest";
import { type AccessTokenClaims, readAccessTokenClaims } from "./access-token.ts";

const CLAIMS: AccessTokenClaims = {
  iss: "https://auth.example.test",
  sub: "a-client",
  client_id: "a-client",
  aud: "https://api.example.test",
  iat: 1_800_000_000,
  exp: 1_800_000_600,
  jti: "AAAAAAAAAAAAAAAAAAAAAA",
  scope: "time:read primes:check",
  gid: "01939d5b-2c40-7a1b-8c2d-3e4f5a6b7c8d",
  ep: 0,
  cred: "k3f9a1c2",
};

const NAMES = Object.keys(CLAIMS) as (keyof AccessTokenClaims)[];

test("RFC 9068 §2.2: whole claims are read as they are", () => {
  expect(readAccessTokenClaims(CLAIMS)).toEqual(CLAIMS);
  expect(readAccessTokenClaims({ ...CLAIMS, scope: "" })).toEqual({ ...CLAIMS, scope: "" });
});

test("a missing claim: not an access token", () => {
  for (const name of NAMES) {
    const { [name]: _, ...rest } = CLAIMS;
    expect(readAccessTokenClaims(rest), name).toBeUndefined();
  }
});

test("a claim of another type: not an access token", () => {
  for (const name of NAMES) {
    const isNumber = typeof CLAIMS[name] === "number";
    const wrong = [null, true, [], {}, [CLAIMS[name]], isNumber ? "1" : 1];
    for (const value of wrong) {
      expect(readAccessTokenClaims({ ...CLAIMS, [name]: value }), name).toBeUndefined();
    }
  }
});

test("times and epoch are whole numbers from 0 that a double holds exactly", () => {
  for (const name of ["iat", "exp", "ep"] as const) {
    for (const value of [-1, 0.5, Number.NaN, Infinity, 2 ** 53]) {
      expect(readAccessTokenClaims({ ...CLAIMS, [name]: value }), name).toBeUndefined();
    }
    expect(readAccessTokenClaims({ ...CLAIMS, [name]: 0 })).toMatchObject({ [name]: 0 });
  }
});

test("what is no object is no access token", () => {
  for (const payload of [undefined, null, "", "claims", 1, true, [], [CLAIMS]]) {
    expect(readAccessTokenClaims(payload)).toBeUndefined();
  }
});

test("quotas are read with them; what is none: not an access token", () => {
  const quota = [{ limit: 5, window: "day" }];
  expect(readAccessTokenClaims({ ...CLAIMS, quota })).toEqual({ ...CLAIMS, quota });
  for (const wrong of [null, 5, {}, [{ limit: 5 }]]) {
    expect(readAccessTokenClaims({ ...CLAIMS, quota: wrong })).toBeUndefined();
  }
});

test("the grants above it are read with it; what cannot be looked up: not an access token", () => {
  const one = { gid: "g", client_id: "c", cred: "k3f9a1c2", ep: 0 };
  const signed = { ...one, kid: "key" };
  for (const anc of [[one], [signed], [one, signed, one, signed, one]]) {
    expect(readAccessTokenClaims({ ...CLAIMS, anc })).toEqual({ ...CLAIMS, anc });
  }
  const wrong: unknown[] = [undefined, null, "g", 1, {}, one, [], [null], ["g"], [[one]]];
  wrong.push(
    [one, one, one, one, one, one],
    [one, {}],
    [{ ...one, kid: null }],
    [{ ...one, kid: 1 }],
  );
  for (const name of ["gid", "client_id", "cred", "ep"] as const) {
    const { [name]: _, ...rest } = one;
    wrong.push([rest], [{ ...one, [name]: null }], [{ ...one, [name]: name === "ep" ? "0" : 0 }]);
  }
  wrong.push([{ ...one, ep: -1 }], [{ ...one, ep: 0.5 }]);
  for (const anc of wrong) {
    expect(readAccessTokenClaims({ ...CLAIMS, anc }), JSON.stringify(anc)).toBeUndefined();
  }
});
