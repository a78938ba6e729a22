/** Opaque access tokens at the resource: asked about, kept for seconds, revoked at once. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { sendJson } from "../../test/auth-server.ts";
import { startListening, statuses } from "../../test/feed.ts";
import { INVALID_TOKEN, refusalOf, type TestResourceServer } from "../../test/resource-server.ts";
import { until } from "../../test/until.ts";

const TOKEN = "dka1.k3f9a1c2.c2VhbGVk";

let api: TestResourceServer;
beforeEach(async () => {
  api = await startListening();
});
afterEach(() => api.stop());

/** The auth-server says that any token is active, with these claims changed. */
function tell(changes: Record<string, unknown> = {}): void {
  api.authServer.answerIntrospection((_req, res) =>
    sendJson(res, { active: true, token_type: "Bearer", ...api.claims(changes) }),
  );
}

async function refusalReason(token: string): Promise<unknown> {
  expect(refusalOf(await api.time(token))).toEqual(INVALID_TOKEN);
  return api.lines.findLast(({ msg }) => msg === "request")?.["reason"];
}

test("it is served by the auth-server's word, asked once in five seconds", async () => {
  tell();
  expect(await statuses(api, [TOKEN, TOKEN])).toEqual([200, 200]);
  expect(api.authServer.questions).toHaveLength(1);
  api.pass(5);
  expect(await statuses(api, [TOKEN])).toEqual([200]);
  expect(api.authServer.questions).toHaveLength(2);
});

test("V13: what the feed revokes is refused though the answer is still kept", async () => {
  tell({ gid: "grant-1" });
  expect(await statuses(api, [TOKEN])).toEqual([200]);
  api.authServer.feed().revoke({ kind: "grant", subject: "grant-1", expires_at: null });
  await until("the refusal", async () => (await api.time(TOKEN)).status === 401);
  expect(await refusalReason(TOKEN)).toBe("revoked");
});

test("V13: so is one below the grant that the feed revokes", async () => {
  tell({ gid: "leaf", anc: [{ gid: "root", client_id: "c", cred: "k3f9a1c2", ep: 0 }] });
  expect(await statuses(api, [TOKEN])).toEqual([200]);
  api.authServer.feed().revoke({ kind: "grant", subject: "root", expires_at: null });
  await until("the refusal", async () => (await api.time(TOKEN)).status === 401);
  expect(await refusalReason(TOKEN)).toBe("revoked");
});

test("inactive, misdirected, foreign and expired ones are refused", async () => {
  api.authServer.answerIntrospection((_req, res) => sendJson(res, { active: false }));
  expect(await refusalReason(TOKEN)).toBe("inactive");
  const cases = [
    [{ aud: "https://other.example.test" }, "wrong_aud"],
    [{ iss: "https://other.example.test" }, "wrong_iss"],
    [{ exp: api.now() - 1 }, "expired"],
  ] as const;
  for (const [index, [changes, reason]] of cases.entries()) {
    tell(changes);
    expect(await refusalReason(`${TOKEN}${index}`)).toBe(reason);
  }
});

test("what has not its form is refused without asking", async () => {
  tell();
  for (const token of ["dka1.", "dka1.k3f9a1c2.", "dka1.K3F9A1C2.AA", "dka1.k3f9a1c2.A.B"]) {
    expect([token, await refusalReason(token)]).toEqual([token, "malformed"]);
  }
  expect(api.authServer.questions).toHaveLength(0);
});

test("V9: an auth-server that cannot be asked is 503, whatever the stale policy", async () => {
  api.authServer.answerIntrospection((_req, res) => res.writeHead(503).end());
  const { status, headers } = await api.time(TOKEN);
  expect([status, headers["retry-after"]]).toEqual([503, "1"]);
});

test("what is not active is not asked about again for five seconds", async () => {
  api.authServer.answerIntrospection((_req, res) => sendJson(res, { active: false }));
  expect(await statuses(api, [TOKEN, TOKEN])).toEqual([401, 401]);
  expect(await statuses(api, [TOKEN])).toEqual([401]);
  expect(api.authServer.questions).toHaveLength(1);
  api.pass(5);
  expect(await statuses(api, [TOKEN])).toEqual([401]);
  expect(api.authServer.questions).toHaveLength(2);
});

test.each([
  // The auth-server refuses this subject alone, or every question.
  [400, 401, 503],
  [413, 401, 503],
  [414, 401, 503],
  [422, 401, 503],
  [431, 401, 503],
  [401, 503, 503],
  [403, 503, 503],
  [404, 503, 503],
  [429, 503, 503],
  [500, 503, 503],
])(
  "a question answered %i is about no active token (%i) only if another one is answered, else an outage (%i)",
  async (answered, aboutThisOne, aboutAll) => {
    const isThisOne = () => api.authServer.questions.at(-1)?.["token"] === TOKEN;
    api.authServer.answerIntrospection((_req, res) =>
      isThisOne() ? sendJson(res, {}, answered) : sendJson(res, { active: false }),
    );
    expect(await statuses(api, [TOKEN])).toEqual([aboutThisOne]);
    const event = aboutThisOne === 401 ? "introspection_refused" : "introspection_failed";
    expect(api.lines.filter((line) => line["event"] === event)).toHaveLength(1);
    api.pass(5);
    api.authServer.answerIntrospection((_req, res) => sendJson(res, {}, answered));
    expect(await statuses(api, [TOKEN])).toEqual([aboutAll]);
    expect(api.lines.at(-2)).toMatchObject({ event: "introspection_failed" });
    tell();
    expect(await statuses(api, [TOKEN])).toEqual([200]);
  },
);

test("a token of 8,192 characters is asked about, one of 8,193 is not", async () => {
  tell();
  const head = "dka1.k3f9a1c2.";
  const ofLength = (length: number): string => head.padEnd(length, "A");
  expect(await statuses(api, [8009, 8010, 8191, 8192].map(ofLength))).toEqual([200, 200, 200, 200]);
  expect(api.authServer.questions).toHaveLength(4);
  expect(await refusalReason(ofLength(8193))).toBe("malformed");
  expect(api.authServer.questions).toHaveLength(4);
});

test("V4: its scope counts like a JWT's", async () => {
  tell({ scope: "primes:check" });
  expect(await statuses(api, [TOKEN])).toEqual([403]);
});
