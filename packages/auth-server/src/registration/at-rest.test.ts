/** What the database and the log know after every way to authenticate: nothing that logs in. */
import { argon2Sync, createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dayOf, formatDate, formatDay } from "@daykey/common/clock";
import { seedHashMessage } from "@daykey/common/secret-hash";
import { AUTH_METHODS } from "@daykey/common/protocol";
import { startAuthServer, type TestAuthServer, type TestClient } from "../../test/auth-server.ts";
import { dayKeyOf } from "../clients/verifiers.ts";

const CHOSEN = "canary horse battery staple";

const METHODS = AUTH_METHODS.filter((method) => !/private_key_jwt|tls_client_auth/.test(method));

let server: TestAuthServer;
let generated: TestClient;
let chosen: TestClient;
/** What was sent and what came back: hashes, secrets, tokens. */
const spoken: string[] = [];

beforeAll(async () => {
  server = await startAuthServer({ config: { seedHash: true } });
  generated = await server.createClient({ authMethods: [...METHODS] });
  const issued = await server.createClient({}, { kind: "chosen", secret: CHOSEN });
  const cost = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 };
  const root = argon2Sync("argon2id", { message: CHOSEN, nonce: issued.salt, ...cost });
  chosen = { ...issued, root: root.toString("hex") };
  await useEveryMethod();
});
afterAll(() => server.stop());

async function useEveryMethod(): Promise<void> {
  for (const client of [generated, chosen]) {
    const { clientId: client_id, clientSecret: client_secret } = client;
    await speak({ client_id, client_secret_hash: await server.dayForm(client) });
    await speak({ client_id, client_secret_hash: await server.oneTime(client) });
    await speak({ client_id, client_secret_hash: seedHash(client, formatDate(server.now())) });
    await speak({ client_id, client_secret });
    await speak({ client_id, client_secret: await server.dayForm(client) });
    await speak({}, `${client_id}:${client_secret}`);
    await speak({}, `${client_id}:${await server.dayForm(client)}`);
    // Wrong, twice, and in the wrong places.
    await speak({ client_id: client_secret, client_secret_hash: "x" });
    await speak({ client_id, client_secret: `${client_secret}x` });
    await speak({ client_id, client_secret, client_secret_hash: await server.dayForm(client) });
    await speak({ client_id, client_secret: `${client_secret}\u0000` });
    await speak({
      client_id,
      scope: client_secret,
      client_secret_hash: await server.dayForm(client),
    });
    await speak({ grant_type: client_secret, client_id, client_secret });
    await speak({ [client_secret]: "x", client_id, client_secret });
  }
  for (const { clientSecret } of [generated, chosen]) {
    for (const name of ["client_secret", "client_secret_hash", "refresh_token", "unknown"]) {
      const url = `${server.url}/oauth2/token?${name}=${encodeURIComponent(clientSecret)}`;
      await (await fetch(url, { method: "POST", body: new URLSearchParams({ a: "b" }) })).text();
    }
    await (await fetch(`${server.url}/${encodeURIComponent(clientSecret)}`)).text();
  }
}

async function speak(form: Record<string, string>, userinfo?: string): Promise<void> {
  const authorization = `Basic ${Buffer.from(userinfo ?? "").toString("base64")}`;
  const headers = userinfo === undefined ? {} : { authorization };
  const { body } = await server.token({ grant_type: "client_credentials", ...form }, headers);
  if (userinfo !== undefined) spoken.push(authorization.slice("Basic ".length));
  const hash = form["client_secret_hash"] ?? "";
  if (hash.length >= 40) spoken.push(hash);
  const { access_token, refresh_token } = body;
  if (typeof access_token !== "string") return;
  spoken.push(access_token, String(refresh_token));
  const refreshed = await server.refresh(generated, refresh_token);
  for (const name of ["access_token", "refresh_token"]) {
    const token = refreshed.body[name];
    if (typeof token === "string") spoken.push(token);
  }
}

function seedHash({ clientSecret, salt }: TestClient, date: string): string {
  return createHmac("sha1", clientSecret).update(seedHashMessage(date, salt)).digest("hex");
}

/** Every day key and seed-compatible hash of a secret's life, and what it is made from. */
function secretsOf(client: TestClient): string[] {
  const { clientSecret, root, salt } = client;
  const today = dayOf(server.now());
  const days = Array.from({ length: 368 }, (_, i) => today - 1 + i);
  const dayKeys = days.map((day) => dayKeyOf(root, salt, day).toString("hex"));
  const seedHashes = days.map((day) => seedHash(client, formatDay(day)));
  const parts = [clientSecret, clientSecret.slice(13, 56), root];
  return [...parts.filter((part) => part.length > 10), ...seedHashes, ...dayKeys];
}

/** A text as it may stand in a column: itself, its bytes in hex or base64, or the bytes it is hex of. */
function spellings(text: string): string[] {
  const bytes = Buffer.from(text);
  const decoded = /^([0-9a-f]{2})+$/.test(text)
    ? [Buffer.from(text, "hex").toString("base64")]
    : [];
  return [text, bytes.toString("hex"), bytes.toString("base64"), ...decoded].map((part) =>
    part.replace(/=+$/, ""),
  );
}

/** Every row of every table as text, in which bytes are hex. */
async function dump(): Promise<string> {
  const tables = await server.database.query<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
     where table_schema not in ('pg_catalog', 'information_schema')`,
  );
  const contents = [];
  for (const { name } of tables) {
    const rows = await server.database.query<{ row: string }>(
      `select t::text as row from ${name} t`,
    );
    contents.push(name, ...rows.map(({ row }) => row));
  }
  return contents.join("\n");
}

describe("C7: a dump of the whole database", () => {
  let content: string;
  beforeAll(async () => {
    content = await dump();
  });

  test("holds the clients, a used nonce and a refreshed grant", () => {
    expect(content).toContain(generated.clientId);
    expect(content).toContain(generated.salt);
    for (const table of ["nonces", "grants", "secrets", "keys"]) {
      expect(content).toMatch(new RegExp(`^daykey\\.${table}\\n\\(`, "m"));
    }
  });

  test("holds neither secret, root nor any day key", () => {
    const found = [generated, chosen]
      .flatMap(secretsOf)
      .flatMap(spellings)
      .filter((text) => content.includes(text));
    expect(found).toEqual([]);
  });

  test("holds no hash, header or token that was sent or given", () => {
    expect(spoken.length).toBeGreaterThan(40);
    const parts = spoken.flatMap((text) => [text, text.split(".").at(-1) ?? text]);
    expect(parts.flatMap(spellings).filter((text) => content.includes(text))).toEqual([]);
  });

  test("would show a day key that stood in it", async () => {
    const [canary = ""] = secretsOf(generated).slice(-1);
    await server.database.query(
      `create table daykey.canary as select decode($1, 'hex') as bytes, $1 as text`,
      [canary],
    );
    expect(await dump()).toContain(`("\\\\x${canary}",${canary})`);
    await server.database.query("drop table daykey.canary");
  });
});

test("C15, L1: no secret, hash or token is in the log", () => {
  const log = JSON.stringify(server.lines);
  expect(server.lines.length).toBeGreaterThan(30);
  const texts = [...[generated, chosen].flatMap(secretsOf), ...spoken];
  expect(texts.flatMap(spellings).filter((text) => log.includes(text))).toEqual([]);
});
