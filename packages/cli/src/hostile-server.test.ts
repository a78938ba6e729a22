/** A server that lies about the time (broken TLS, plain http inside a cluster), and what it gets to see. */
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { dayForm } from "@daykey/client/day-form";
import { oneTimeForm } from "@daykey/client/one-time-form";
import { createTokenSource } from "@daykey/client/token-source";
import { webHash } from "@daykey/client/web-hash";
import { dayFormHash, parseSecretHash } from "@daykey/common/secret-hash";
import { createDesk, type Desk } from "../test/run-daykey.ts";

const SECRET = "dks_k3f9a1c2_3oDH4mEVFvp7u7ED6UzpF5eHPrBI5AHumY7UBpOQIJz_0k1H3W";
const SALT = "00112233445566778899aabbccddeeff";
const DAY = 86_400;
const DAYS = 40;

let desk: Desk;
let url: string;
/** Seconds that the server's `Date` is ahead, and what it answers to a token or its like. */
let ahead: number;
let answer: (path: string) => { status: number; body: object };
let hashes: string[];

async function take(request: IncomingMessage): Promise<void> {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  const hash = new URLSearchParams(body).get("client_secret_hash");
  if (hash !== null) hashes.push(hash);
}

const server = createServer((request, response) => {
  void take(request).then(() => {
    const path = request.url ?? "";
    const { status, body } = path.startsWith("/.well-known/")
      ? { status: 200, body: metadata() }
      : answer(path);
    const date = new Date(Date.now() + ahead * 1000).toUTCString();
    response.writeHead(status, { "content-type": "application/json", date });
    response.end(JSON.stringify(body));
  });
});

function metadata(): object {
  return {
    issuer: url,
    token_endpoint: `${url}/oauth2/token`,
    introspection_endpoint: `${url}/oauth2/introspect`,
    revocation_endpoint: `${url}/oauth2/revoke`,
    jwks_uri: `${url}/jwks`,
  };
}

beforeAll(async () => {
  desk = await createDesk();
  await once(server.listen(0, "127.0.0.1"), "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const credential = {
    issuer: url,
    token_endpoint: `${url}/oauth2/token`,
    resource: url,
    client_id: "billing",
    client_secret: SECRET,
    salt: SALT,
  };
  const options = { mode: 0o600 };
  await writeFile(join(desk.folder, "billing.json"), JSON.stringify(credential), options);
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await desk.remove();
});
beforeEach(() => {
  hashes = [];
});

const iso = (seconds: number): string =>
  new Date(Date.now() + seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");

/** Whoever has the server refuse everything, with a time of its choice in the header and in words. */
function refuseAt(seconds: number): void {
  ahead = seconds;
  const description = `Client authentication failed; the server's time is ${iso(seconds)}`;
  answer = () => ({
    status: 401,
    body: { error: "invalid_client", error_description: description },
  });
}

/** No hash of a day to come, and no one-time hash that is dated more than an hour from now. */
async function expectNothingOfLaterDays(): Promise<void> {
  expect(hashes.length).toBeGreaterThan(0);
  const now = Date.now() / 1000;
  const later = new Set<string>();
  for (let day = 1; day <= DAYS; day++) {
    const at = now + 3600 + day * DAY;
    later.add(await dayFormHash(webHash, { root: SECRET, salt: SALT }, at));
  }
  for (const hash of hashes) {
    expect(later.has(hash)).toBe(false);
    const parsed = parseSecretHash(hash);
    const dated = parsed?.form === "once" ? parsed.whenAt : now;
    expect(Math.abs(dated - now)).toBeLessThan(3700);
  }
}

const LIES = [2 * 3600, DAY, 30 * DAY, -2 * 3600, -DAY];
const COMMANDS = ["token", "token --form day", "introspect", "revoke", "doctor"];

test.each(LIES.flatMap((lie) => COMMANDS.map((line) => [line, lie] as const)))(
  "the command line names the clock, and gives no hash of another day away: %s, %i s",
  async (line, lie) => {
    refuseAt(lie);
    const args = [...line.split(" "), "--credential", "billing.json"];
    const { code, stdout, stderr } = await desk.run(args, { input: "a.b.c" });
    expect(code).not.toBe(0);
    expect(stdout + stderr).toMatch(/clock|this machine is .* (behind|ahead)/i);
    await expectNothingOfLaterDays();
  },
);

test.each(
  LIES.flatMap((lie) => [
    ["day form", lie, dayForm] as const,
    ["one-time form", lie, oneTimeForm] as const,
  ]),
)("so does the client library, however often it is asked: %s, %i s", async (_name, lie, form) => {
  refuseAt(lie);
  const credential = form({ clientId: "billing", material: { secret: SECRET, salt: SALT } });
  const source = createTokenSource({ issuer: url, credential, allowInsecureRequests: true });
  for (let call = 0; call < 3; call++) {
    await expect(source.token()).rejects.toMatchObject({
      code: "clock",
      message: expect.stringContaining("set the clock"),
    });
  }
  await expectNothingOfLaterDays();
});

const GRANT = "01a20117-fb2f-7a40-80bc-14de9ecc5b84";
const past = (): number => Math.floor(Date.now() / 1000) - 300;

test.each<[what: string, told: () => object, code: number, said: RegExp]>([
  [
    "its grant lived on",
    () => ({ grant: GRANT, state: "ended", token_expires_at: past() }),
    0,
    /^revoked: the token had ended by itself at .*5 min ago\), but its grant was; it is ended now\n/,
  ],
  [
    "nothing else of its grant is known",
    () => ({ grant: GRANT, state: "unseen", token_expires_at: past() }),
    1,
    /Nothing was ended: the token had ended by itself at .*5 min ago\)\nA refresh token of its grant/,
  ],
  [
    "its grant was revoked before",
    () => ({ grant: GRANT, state: "ended_before", token_expires_at: past() }),
    1,
    /Nothing was ended: the token had ended by itself at .*, and its grant was revoked before\n/,
  ],
  [
    "it was revoked, and its time is not over",
    () => ({ grant: GRANT, state: "ended_before", token_expires_at: past() + 600 }),
    1,
    /Nothing was ended: the token was not live, and its grant was revoked before\n/,
  ],
  [
    "it is none of the server's",
    () => ({ state: "unknown_token" }),
    1,
    /No live token was ended: the auth-server knows none like this/,
  ],
])(
  "daykey revoke says what became of a token that is not live: %s",
  async (_what, told, code, said) => {
    ahead = 0;
    answer = (path) => ({
      status: 200,
      body: path.endsWith("revoke") ? told() : { active: false },
    });
    const outcome = await desk.run(["revoke", "--credential", "billing.json"], { input: "a.b.c" });
    expect([outcome.code, outcome.stdout + outcome.stderr]).toEqual([
      code,
      expect.stringMatching(said),
    ]);
  },
);
