/** Node libraries people already have, unchanged, against the real servers; and curl. */
import { execFileSync } from "node:child_process";
import * as openid from "openid-client";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tryValidator } from "./attempt.ts";
import { freePorts } from "@daykey/service/test/free-ports";
import { clients, validators } from "./node/libraries.ts";
import { askService, findServices, questions } from "./services.ts";
import { type RunningWorld, startWorld, TOKEN_ALGORITHMS } from "./world.ts";

let running: RunningWorld;
beforeAll(async () => {
  running = await startWorld();
});
afterAll(() => running.stop());

describe("a library gets a token that GET /time takes", () => {
  test.each(
    clients.map((attempt) => ({
      ...attempt,
      how: [attempt.check, attempt.key, attempt.setting].filter(Boolean).join(", "),
    })),
  )("$library: $how", async ({ run }) => {
    await expect(run(running.world)).resolves.toBeUndefined();
  });
});

describe("a validator takes a good token and refuses one expired, for another audience, of another issuer, or altered", () => {
  test.each(
    validators.map((attempt) => ({
      ...attempt,
      how: [attempt.check, attempt.setting].filter(Boolean).join(", "),
    })),
  )("$library: $how", async (attempt) => {
    const seen = await tryValidator(attempt, running.world.validation[attempt.check]).then(
      () => undefined,
      String,
    );
    // A limit that is gone is news too.
    expect(seen ?? "").toMatch(attempt.limit ?? /^$/);
  });

  test.each(TOKEN_ALGORITHMS)(
    "and one that takes everything is found out, with %s",
    async (name) => {
      const open = async () => ({ validate: async () => undefined });
      await expect(tryValidator({ open }, running.world.validation[name])).rejects.toThrow(
        "takes a token with a wrong: expired, audience, issuer, tampered",
      );
    },
  );
});

const services = await findServices();

test("the services of the documentation are found", () => {
  expect(services.map(({ page, library }) => `${page}: ${library}`)).toEqual([
    "README.md: jose",
    "docs/how-to/stock-validators.md: jose",
    "docs/how-to/stock-validators.md: PyJWT",
    "docs/how-to/stock-validators.md: go-oidc",
    "docs/how-to/stock-validators.md: Spring Security",
  ]);
});

test.each(services.filter(({ library }) => library === "jose"))(
  "the service of $page takes a good token alone, and answers 403 without the scope",
  async ({ source }) => {
    const samples = running.world.validation.ES256;
    const asked = questions(samples, await running.demoToken("primes:check"));
    const [port = 0] = await freePorts(1);
    const statuses = await askService(
      {
        command: process.execPath,
        args: ["--input-type=module", "--eval", source],
        folder: fileURLToPath(new URL("..", import.meta.url)),
        port,
      },
      samples,
      asked,
    );
    const expected = Object.entries(asked).map(([name, { status }]) => [name, status]);
    expect(statuses).toEqual(Object.fromEntries(expected));
  },
);

test("openid-client is told invalid_client for a wrong secret", async () => {
  const { issuer, demo } = running.world;
  const config = await openid.discovery(
    new URL(issuer),
    demo.client_id,
    "not the secret",
    undefined,
    // eslint-disable-next-line typescript/no-deprecated -- the library's mark for plain HTTP, which loopback is
    { execute: [openid.allowInsecureRequests] },
  );
  await expect(openid.clientCredentialsGrant(config)).rejects.toMatchObject({
    error: "invalid_client",
    status: 401,
  });
});

test("curl -u gets a token, with the secret and with today's hash in its place", () => {
  const { demo, token_endpoint } = running.world;
  const hash = execFileSync(
    "sh",
    [
      "-c",
      `printf '%s %s' "$(date -u +%F)" "$SALT" | openssl dgst -sha256 -hmac "$CLIENT_SECRET" -r | cut -c1-64`,
    ],
    {
      env: { ...process.env, SALT: demo.salt, CLIENT_SECRET: demo.client_secret },
      encoding: "utf8",
    },
  ).trim();
  for (const password of [demo.client_secret, hash]) {
    const user = `${demo.client_id}:${password}`;
    const args = ["-s", "-u", user, "-d", "grant_type=client_credentials", token_endpoint];
    const answer = execFileSync("curl", args, { encoding: "utf8" });
    expect(JSON.parse(answer)).toMatchObject({ token_type: "Bearer", expires_in: 600 });
  }
});
