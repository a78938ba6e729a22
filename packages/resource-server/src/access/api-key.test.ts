/** API keys at the resource: resolved by the auth-server, remembered for seconds, ended by the feed. */
import type { RequestListener, ServerResponse } from "node:http";
import { idOfApiKey } from "@daykey/common/api-key";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createApiKey, INVALID_API_KEY, keyAnswer } from "../../test/api-key.ts";
import { sendJson } from "../../test/auth-server.ts";
import { startListening, tell } from "../../test/feed.ts";
import { CLIENT, refusalOf, type TestResourceServer } from "../../test/resource-server.ts";
import { until } from "../../test/until.ts";

let api: TestResourceServer;
beforeEach(async () => {
  api = await startListening();
  api.authServer.answerIntrospection(active());
});
afterEach(() => api.stop());

const questions = (): number => api.authServer.questions.length;
const asked = (): string => api.authServer.questions.at(-1)?.["token"] ?? "";

function active(changes: Record<string, unknown> = {}): RequestListener {
  return (_req, res) => sendJson(res, keyAnswer(asked(), changes));
}
const inactive: RequestListener = (_req, res) => sendJson(res, { active: false });

const time = (key: string) => api.request("GET /time", { headers: { "X-Api-Key": key } });

async function statusOf(key: string): Promise<number> {
  return (await time(key)).status;
}

const lastRequest = () => api.lines.findLast(({ msg }) => msg === "request");

test("a key is its client's access, in X-Api-Key or bare in Authorization", async () => {
  const key = createApiKey();
  for (const name of ["X-Api-Key", "Authorization"]) {
    const { status } = await api.request("GET /time", { headers: { [name]: key } });
    expect(status).toBe(200);
    expect(lastRequest()).toMatchObject({ via: "api_key", client: CLIENT, kid: idOfApiKey(key) });
  }
  expect(api.logText()).not.toContain(key.slice(17));
});

test("V4: a key without the route's scope is 403", async () => {
  api.authServer.answerIntrospection(active({ scope: "primes:check" }));
  const { status, body } = await time(createApiKey());
  expect([status, body]).toEqual([
    403,
    {
      type: "urn:daykey:problem:insufficient-scope",
      title: "The credential lacks a scope",
      status: 403,
      detail: "This needs the scope time:read.",
    },
  ]);
});

test("V10: what cannot be a key is refused without asking, like one that nobody made", async () => {
  const key = createApiKey();
  const flipped = key.endsWith("0") ? "1" : "0";
  const wrong = [
    "asoidewfoef",
    "12345",
    key.slice(0, -1) + flipped,
    key.replace(/_.(?=[0-9a-f]{42}_)/, (digit) => (digit === "_0" ? "_1" : "_0")),
    key.toUpperCase(),
    `${key}0`,
    key.replace("dkk_", "dks_"),
    api.token(),
  ];
  for (const each of wrong) {
    expect(refusalOf(await time(each)), each).toEqual(INVALID_API_KEY);
    expect(lastRequest()).toMatchObject({ reason: "malformed", via: "api_key" });
  }
  expect(questions()).toBe(0);
  api.authServer.answerIntrospection(inactive);
  expect(refusalOf(await time(key))).toEqual(INVALID_API_KEY);
  expect(lastRequest()).toMatchObject({ reason: "inactive" });
});

test("an answer is good for 5 s, active or not; requests that come meanwhile share one question", async () => {
  const [key, unknown] = [createApiKey(), createApiKey()];
  api.authServer.answerIntrospection((_req, res) =>
    sendJson(res, asked() === key ? keyAnswer(key) : { active: false }),
  );
  for (const wait of [0, 4.9, 0.1]) {
    api.pass(wait);
    expect(await Promise.all([1, 2, 3].map(() => statusOf(key)))).toEqual([200, 200, 200]);
    expect(await Promise.all([1, 2, 3].map(() => statusOf(unknown)))).toEqual([401, 401, 401]);
    expect(questions()).toBe(wait === 0.1 ? 4 : 2);
  }
});

test("V13: a revoked key, and any key of a client whose epoch rose, is refused at once", async () => {
  const [key, other] = [createApiKey(), createApiKey()];
  expect([await statusOf(key), await statusOf(other)]).toEqual([200, 200]);
  await tell(api, {
    kind: "credential",
    subject: `${CLIENT} ${idOfApiKey(key)}`,
    expires_at: null,
  });
  expect([await statusOf(key), await statusOf(other)]).toEqual([401, 200]);
  await tell(api, { kind: "client", subject: CLIENT, epoch: 1, expires_at: null });
  expect(refusalOf(await time(other))).toEqual(INVALID_API_KEY);
  expect(lastRequest()).toMatchObject({ reason: "revoked", kid: idOfApiKey(other) });
});

test("where the epoch rose it is asked anew, so a key that outlives that is not refused meanwhile", async () => {
  const [key, ended] = [createApiKey(), createApiKey()];
  expect([await statusOf(key), await statusOf(ended)]).toEqual([200, 200]);
  await tell(api, { kind: "client", subject: CLIENT, epoch: 1, expires_at: null });
  api.authServer.answerIntrospection((_req, res) =>
    sendJson(res, asked() === key ? keyAnswer(key, { ep: 1 }) : { active: false }),
  );
  for (const _ of [1, 2, 3]) {
    expect([await statusOf(key), await statusOf(ended)]).toEqual([200, 401]);
  }
  expect(questions()).toBe(4);
});

test("a key ends at its instant; one of another issuer, resource or id is refused", async () => {
  const key = createApiKey();
  api.authServer.answerIntrospection(active({ exp: api.now() + 2 }));
  expect(await statusOf(key)).toBe(200);
  api.advance(2);
  expect(await statusOf(key)).toBe(401);
  const changes = {
    expired: { exp: api.now() },
    wrong_iss: { iss: "https://other.example" },
    wrong_aud: { aud: "https://other.example" },
    inactive: { cred: idOfApiKey(createApiKey()) },
  };
  for (const [reason, change] of Object.entries(changes)) {
    api.authServer.answerIntrospection(active(change));
    expect(refusalOf(await time(createApiKey())), reason).toEqual(INVALID_API_KEY);
    expect(lastRequest(), reason).toMatchObject({ reason });
  }
});

test("V9: without an answer that can be used it is 503, and a known key goes on for its seconds", async () => {
  const known = createApiKey();
  expect(await statusOf(known)).toBe(200);
  const answers: Record<string, RequestListener> = {
    "503": (_req, res) => sendJson(res, {}, 503),
    cut: (req) => req.socket.destroy(),
    "no cred": active({ cred: undefined }),
    "a cred of another shape": active({ cred: "k3f9a1c2" }),
    "ep as text": active({ ep: "0" }),
    "exp as text": active({ exp: "9999999999" }),
    "no scope": active({ scope: undefined }),
    "aud as a list": active({ aud: [] }),
    "a quota that is none": active({ key_quota: [{ limit: -1, window: "day" }] }),
  };
  for (const [name, listener] of Object.entries(answers)) {
    api.authServer.answerIntrospection(listener);
    const answer = await time(createApiKey());
    expect(answer, name).toMatchObject({
      status: 503,
      headers: { "retry-after": "1" },
      body: { type: "urn:daykey:problem:auth-server-unavailable" },
    });
    expect(await statusOf(known), name).toBe(200);
  }
  api.pass(5);
  expect(await statusOf(known)).toBe(503);
});

test("however many new keys are being asked about, one that was active finds room", async () => {
  const known = createApiKey();
  expect(await statusOf(known)).toBe(200);
  api.pass(5);
  const held: ServerResponse[] = [];
  api.authServer.answerIntrospection((req, res) =>
    asked() === known ? active()(req, res) : held.push(res),
  );
  const strangers = Array.from({ length: 50 }, () => statusOf(createApiKey()));
  await until("as many as may be are asked", () => held.length >= 39);
  expect(await statusOf(known)).toBe(200);
  api.authServer.answerIntrospection(inactive);
  for (const res of held) sendJson(res, { active: false });
  expect(await Promise.all(strangers)).toContain(401);
});
