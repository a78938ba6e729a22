/** The shared vectors, whose client is put into the database as protocol §1 says, against a real server. */
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import vectors from "../../../common/vectors/secret-hash.json" with { type: "json" };
import { seedHashMessage } from "@daykey/common/secret-hash";
import { formatDay } from "@daykey/common/clock";
import { createHmac } from "node:crypto";
import { type Answer, API, startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";
import { thumbprintOfDayKey } from "./dpop-keys.ts";
import { dayKeyOf, verifierOf } from "../clients/verifiers.ts";

const { client } = vectors;
const FIRST_DAY = 20_777; // 2026-11-20

type Vector = Pick<(typeof vectors.cases)[number], "client_secret_hash" | "now">;

const REFUSED = { error: "invalid_client", error_description: "Client authentication failed." };
const ACCEPTED = {
  access_token: expect.any(String),
  token_type: "Bearer",
  expires_in: 600,
  scope: "time:read",
};

let server: TestAuthServer;
beforeAll(async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-11-20T12:00:00Z") });
  server = await startAuthServer({ config: { issuer: client.issuer, seedHash: true } });
  const days = Array.from({ length: 4 }, (_, i) =>
    verifierOf(dayKeyOf(client.client_secret, client.salt, FIRST_DAY + i)),
  );
  const seedDays = Array.from({ length: 4 }, (_, i) => {
    const message = seedHashMessage(formatDay(FIRST_DAY + i), client.salt);
    const hash = createHmac("sha1", client.client_secret).update(message).digest("hex");
    return verifierOf(Buffer.from(hash));
  });
  const methods = [
    ...["day", "once", "seed"].map((form) => `client_secret_hash_${form}`),
    "client_secret_basic",
  ];
  await server.database.query(
    `insert into daykey.clients (client_id, name, auth_methods, grant_types, scopes, resources)
     values ($1, 'vectors', $2, '{client_credentials}', '{time:read}', $3)`,
    [client.client_id, methods, [API]],
  );
  await server.database.query(
    `insert into daykey.secrets (client_id, kid, kind, salt, first_day, verifiers, seed_verifiers, expires_at)
     values ($1, $2, 'generated', $3, '2026-11-20', $4, $5, '2027-11-20')`,
    [client.client_id, client.kid, client.salt, Buffer.concat(days), Buffer.concat(seedDays)],
  );
  await server.look();
});
beforeEach(async () => {
  await server.database.query("delete from daykey.nonces");
});
afterAll(async () => {
  await server.stop();
  vi.useRealTimers();
});

test.each(vectors.day_key_proof)(
  "the day key of $date yields the thumbprint of its proofs",
  (day) => {
    expect(thumbprintOfDayKey(Buffer.from(day.day_key, "hex"))).toBe(day.jkt);
  },
);

function present(hash: string): Promise<Answer> {
  const form = { grant_type: "client_credentials", client_id: client.client_id };
  return server.token({ ...form, client_secret_hash: hash });
}

function presentInBasic(hash: string): Promise<Answer> {
  const credential = `${client.client_id}:${encodeURIComponent(hash)}`;
  const authorization = `Basic ${Buffer.from(credential).toString("base64")}`;
  return server.token({ grant_type: "client_credentials" }, { authorization });
}

/** What the server should say, to the letter. */
function answerOf(expected: string, { now, client_secret_hash: hash }: Vector): object {
  switch (expected) {
    case "accepted":
      return { status: 200, body: ACCEPTED };
    case "clock_skew":
      return {
        status: 401,
        body: {
          error: "invalid_client",
          error_description: `The hash is dated too far from now: the server's time is ${now}.`,
        },
      };
    default:
      return /\p{Cc}/u.test(hash)
        ? {
            status: 400,
            body: {
              error: "invalid_request",
              error_description: "A parameter holds a control character.",
            },
          }
        : { status: 401, body: REFUSED };
  }
}

test.each(vectors.seed_cases)("seed: $name", async (vector) => {
  vi.setSystemTime(vector.now);
  const answers = [];
  for (const expected of [vector.expected].flat()) {
    const { status, body } = await present(vector.client_secret_hash);
    answers.push([{ status, body }, answerOf(expected, vector)]);
  }
  expect(answers.map(([answer]) => answer)).toEqual(answers.map(([, expected]) => expected));
  expect((await presentInBasic(vector.client_secret_hash)).status).toBe(401);
});

const named = vectors.cases.map((vector) => [vector.form, vector.name, vector] as const);
const plain = named.filter(([, , vector]) => vector.mutation === undefined);

test.each(plain)("%s: %s", async (_form, _name, vector) => {
  vi.setSystemTime(vector.now);
  const answers = [];
  for (const expected of [vector.expected].flat()) {
    const { status, body } = await present(vector.client_secret_hash);
    answers.push([{ status, body }, answerOf(expected, vector)]);
  }
  expect(answers.map(([answer]) => answer)).toEqual(answers.map(([, expected]) => expected));
});

test.each(named.filter(([, , { mutation }]) => mutation === "flip_each_bit_of_proof"))(
  "%s: %s",
  async (_form, _name, vector) => {
    vi.setSystemTime(vector.now);
    const start = vector.client_secret_hash.length - 64;
    const accepted: number[] = [];
    for (let bit = 0; bit < 256; bit++) {
      const proof = Buffer.from(vector.client_secret_hash.slice(start), "hex");
      proof.writeUInt8(proof.readUInt8(bit >> 3) ^ (0x80 >> (bit & 7)), bit >> 3);
      const { status } = await present(
        vector.client_secret_hash.slice(0, start) + proof.toString("hex"),
      );
      if (status !== 401) accepted.push(bit);
    }
    expect(accepted).toEqual([]);
    expect(await present(vector.client_secret_hash)).toMatchObject({ status: 200 });
  },
);

describe("in place of the secret in Basic", () => {
  const dayForms = plain.filter(([form]) => form === "day");
  test.each(dayForms)("%s: %s", async (_form, name, vector) => {
    vi.setSystemTime(vector.now);
    const { status } = await presentInBasic(vector.client_secret_hash);
    const isAccepted = vector.expected === "accepted" || name === "the secret itself";
    expect(status).toBe(isAccepted ? 200 : 401);
  });

  test.each(plain.filter(([form]) => form === "once"))("%s: %s", async (_form, _name, vector) => {
    vi.setSystemTime(vector.now);
    const { status } = await presentInBasic(vector.client_secret_hash);
    expect(status).toBe(401);
  });
});
