/** What becomes of tokens while the issuer's keys cannot be fetched. */
import { afterEach, expect, test } from "vitest";
import { createSigningKey, type TestIssuer } from "../../test/issuer.ts";
import {
  INVALID_TOKEN,
  KEYS_UNAVAILABLE,
  refusalOf,
  startResourceServer,
  type TestResourceServer,
} from "../../test/resource-server.ts";

let api: TestResourceServer;
afterEach(() => api.stop());

/** A server that has its issuer's keys. */
async function startLoaded(): Promise<void> {
  api = await startResourceServer();
  expect(await statusOf(api.token())).toBe(200);
  expect(api.issuer.requests()).toBe(1);
}

const statusOf = async (token: string): Promise<number> => (await api.time(token)).status;

/** What an issuer in trouble, or somebody in its place, may answer. */
const TROUBLE: Readonly<Record<string, Parameters<TestIssuer["answer"]>[0]>> = {
  "500": (_req, res) => res.writeHead(500).end("{}"),
  "503 with a key set": (_req, res) => res.writeHead(503).end('{"keys":[]}'),
  "404": (_req, res) => res.writeHead(404).end(),
  "204": (_req, res) => res.writeHead(204).end(),
  "201 with a key set": (_req, res) => res.writeHead(201).end('{"keys":[]}'),
  "an empty body": (_req, res) => res.end(),
  "a page": (_req, res) => res.end("<!doctype html><title>Maintenance</title>"),
  "half of a key set": (_req, res) => res.end('{"keys":['),
  null: (_req, res) => res.end("null"),
  "a list": (_req, res) => res.end("[]"),
  "no keys": (_req, res) => res.end("{}"),
  "keys that are no list": (_req, res) => res.end('{"keys":{"0":{}}}'),
  "keys that are text": (_req, res) => res.end('{"keys":"keys"}'),
  "a key set of 300 kB": (_req, res) => res.end(`{"keys":[]}${" ".repeat(300_000)}`),
  "1 MB without a length": (_req, res) => {
    for (let part = 0; part < 16; part += 1) res.write(" ".repeat(65_536));
    res.end('{"keys":[]}');
  },
  "an endless body": (_req, res) => {
    const more = (): void => void (res.destroyed || res.write(" ".repeat(65_536), more));
    more();
  },
  "an end without an answer": (req) => void req.socket.destroy(),
  "an end within the body": (_req, res) => {
    res.writeHead(200, { "Content-Length": "100" }).write('{"keys":[', () => res.destroy());
  },
  "what is no HTTP": (req) => void req.socket.end("220 smtp.example ESMTP\r\n"),
  "another encoding": (_req, res) => res.writeHead(200, { "Content-Encoding": "gzip" }).end("{}"),
};

/** A token of a kid that is not known: it waits for the fetch that is under way. */
const stranger = (): string => api.token({ header: { kid: "unknown" } });

const failures = (): number => api.lines.filter(({ event }) => event === "jwks_unread").length;

/** What the log says of an error: its own words, or the code or the kind of what is behind it. */
function reasonOf(err: unknown): string | undefined {
  const { message, code, cause, type } = Object(err) as Record<string, string | undefined>;
  const kind = type === "HTTPParserError" ? type : undefined;
  return message ?? code ?? kind ?? (cause === undefined ? undefined : reasonOf(cause));
}

test("V6: keys once fetched serve on through any answer, and the next good one counts", async () => {
  await startLoaded();
  const used = api.token({ claims: { exp: api.now() + 3600 } });
  expect(await statusOf(used)).toBe(200);
  api.advance(300);
  for (const [index, [name, answer]] of Object.entries(TROUBLE).entries()) {
    api.issuer.answer(answer);
    expect(await statusOf(used), name).toBe(200);
    expect(refusalOf(await api.time(stranger())), name).toEqual(INVALID_TOKEN);
    expect([failures(), api.issuer.requests()], name).toEqual([index + 1, index + 2]);
    expect(await statusOf(used), name).toBe(200);
    expect(await statusOf(api.token()), name).toBe(200);
    api.advance(30);
  }
  const untold = api.lines.filter(({ event, err }) => event === "jwks_unread" && !reasonOf(err));
  expect(untold).toEqual([]);
  const key = createSigningKey();
  api.issuer.publish(api.key.jwk, key.jwk);
  expect(await statusOf(api.token({ key }))).toBe(200);
});

test("V6: without keys every token is 503 with Retry-After, not 401; then it recovers", async () => {
  api = await startResourceServer({
    before: (issuer) => issuer.answer((_req, res) => res.writeHead(500).end()),
  });
  expect(refusalOf(await api.time(api.token()))).toEqual(KEYS_UNAVAILABLE);
  for (const [index, [name, answer]] of Object.entries(TROUBLE).entries()) {
    api.issuer.answer(answer);
    api.advance(1);
    const refused = await api.time(api.token());
    expect(refusalOf(refused), name).toEqual(KEYS_UNAVAILABLE);
    expect(refused.headers["retry-after"], name).toBe("1");
    expect(refusalOf(await api.time(api.token())), name).toEqual(KEYS_UNAVAILABLE);
    expect(api.issuer.requests(), name).toBe(index + 2);
  }
  expect(api.lines.at(-1)).toMatchObject({ status: 503, reason: "keys_unavailable" });
  // What is no token needs no key to be refused.
  expect(refusalOf(await api.time("a.b.c"))).toEqual(INVALID_TOKEN);
  const token = api.token();
  api.issuer.publish(api.key.jwk);
  expect(await statusOf(token)).toBe(503);
  api.advance(1);
  expect(await statusOf(token)).toBe(200);
});

test("V6: with an issuer that has no key at all no token can be checked", async () => {
  await startLoaded();
  const used = api.token();
  expect(await statusOf(used)).toBe(200);
  api.issuer.publish();
  api.advance(300);
  await api.time(used);
  expect(refusalOf(await api.time(stranger()))).toEqual(KEYS_UNAVAILABLE);
  expect(refusalOf(await api.time(used))).toEqual(KEYS_UNAVAILABLE);
  api.issuer.publish(api.key.jwk);
  api.advance(1);
  expect(await statusOf(used)).toBe(200);
});

test("V6: a slow issuer holds up nobody whose key is known, and others for 3 s at most", async () => {
  await startLoaded();
  api.issuer.answer((_req, res) => {
    const byteNowAndThen = setInterval(() => res.write(" "), 50);
    res.once("close", () => clearInterval(byteNowAndThen));
  });
  api.advance(300);
  expect(await statusOf(api.token())).toBe(200);
  await api.issuer.requested(2);
  let waited = false;
  const waiting = api.time(stranger()).finally(() => (waited = true));
  expect(await statusOf(api.token())).toBe(200);
  expect(waited).toBe(false);
  expect(refusalOf(await waiting)).toEqual(INVALID_TOKEN);
  expect(failures()).toBe(1);
});

test("V2: a redirection is not followed, wherever it leads", async () => {
  await startLoaded();
  const foreign = createSigningKey();
  for (const [index, status] of [301, 302, 303, 307, 308].entries()) {
    api.issuer.answer((req, res) => {
      if (req.url === "/jwks.json") return res.writeHead(status, { Location: "/other" }).end();
      return res.end(JSON.stringify({ keys: [foreign.jwk] }));
    });
    api.advance(30);
    expect(refusalOf(await api.time(api.token({ key: foreign })))).toEqual(INVALID_TOKEN);
    expect(api.issuer.requests()).toBe(index + 2);
    expect(await statusOf(api.token())).toBe(200);
  }
});
