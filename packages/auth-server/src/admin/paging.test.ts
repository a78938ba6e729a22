/** Lists of clients: pages, filters, orders, and cursors that reach no SQL (A5). */
import { afterAll, beforeAll, expect, test } from "vitest";
import fc from "fast-check";
import { createTestAdmin, type TestAdmin } from "../../test/admin.ts";
import { API, ISSUER, OTHER_API, startAuthServer } from "../../test/auth-server.ts";
import type { TestAuthServer } from "../../test/auth-server.ts";

let server: TestAuthServer;
let admin: TestAdmin;
/** In the order of their creation, which is not that of their ids. */
const IDS = ["m", "c", "z", "a", "k", "b", "y"].map((letter) => `${letter}-client`);
beforeAll(async () => {
  server = await startAuthServer();
  admin = await createTestAdmin(server);
  for (const [i, client_id] of IDS.entries()) {
    await admin.create({
      client_id,
      name: i % 2 === 0 ? "100% Even_Name" : "odd name",
      resources: i === 3 ? [OTHER_API] : [API],
      scopes: i === 3 ? ["other:write"] : ["time:read"],
    });
  }
  await admin.post("/clients/c-client/disable");
  // Two of one instant: only the id tells them apart.
  await server.database.query(
    `update daykey.clients set created_at = (select created_at from daykey.clients
       where client_id = 'k-client') where client_id = 'b-client'`,
  );
});
afterAll(() => server.stop());

/** All ids, by pages of `limit`. */
async function walk(query: string, limit: number): Promise<string[]> {
  const ids: string[] = [];
  let cursor = "";
  do {
    const { status, body } = await admin.get(`/clients?limit=${limit}${query}${cursor}`);
    expect(status).toBe(200);
    expect(body.items.length).toBeLessThanOrEqual(limit);
    for (const { client_id: id } of body.items) ids.push(id);
    cursor = body.next_cursor === null ? "" : `&cursor=${body.next_cursor}`;
  } while (cursor !== "");
  return ids;
}

const byId = (): string[] => [...IDS, admin.client.clientId].toSorted();
const byAge = (): string[] => {
  const [m, c, z, a, , , y] = IDS as [string, string, string, string, string, string, string];
  return [admin.client.clientId, m, c, z, a, "b-client", "k-client", y];
};

test.each([1, 2, 3, 7, 8, 200])(
  "pages of %i hold every client once, in either order",
  async (limit) => {
    expect(await walk("", limit)).toEqual(byId());
    expect(await walk("&sort=client_id", limit)).toEqual(byId());
    expect(await walk("&sort=created_at", limit)).toEqual(byAge());
  },
);

test.each([
  ["q=K-CLI", ["k-client"]],
  ["q=even_name", ["k-client", "m-client", "y-client", "z-client"]],
  ["q=100%25", ["k-client", "m-client", "y-client", "z-client"]],
  ["q=%25", ["k-client", "m-client", "y-client", "z-client"]],
  ["q=_", ["k-client", "m-client", "y-client", "z-client"]],
  ["q=%5C", []],
  ["q='%20or%20true--", []],
  ["enabled=false", ["c-client"]],
  ["scope=other:write", ["a-client"]],
  [`resource=${encodeURIComponent(OTHER_API)}`, ["a-client"]],
  ["q=odd&enabled=true", ["a-client", "b-client"]],
  ["resource=urn:daykey:nothing", []],
])("%s finds %j", async (query, expected) => {
  const found = (await walk(`&${query}`, 3)).filter((id) => IDS.includes(id));
  expect(found).toEqual(expected);
});

test("the issuer is found by its address", async () => {
  const found = await walk(`&resource=${encodeURIComponent(ISSUER)}`, 10);
  expect(found).toEqual([admin.client.clientId]);
});

const cursor = (text: string): string => Buffer.from(text, "latin1").toString("base64url");

test.each([
  "limit=0",
  "limit=201",
  "limit=-1",
  "limit=1e2",
  "limit=",
  "limit=1&limit=2",
  "limit=99999999999999999999",
  "sort=name",
  "sort=client_id;drop table daykey.clients",
  "sort=client_id desc",
  "sort=__proto__",
  "enabled=1",
  "enabled=TRUE",
  "enabled=",
  "q=",
  "q=%00",
  "q=a%0Ab",
  "scope=%00",
  "resource=%00",
  `q=${"x".repeat(201)}`,
  "order=asc",
  "__proto__=1",
  "constructor=1",
  "cursor=",
  "cursor=!",
  "cursor=AAAA",
  `cursor=${cursor("client_id a'--")}`,
  `cursor=${cursor("client_id ")}`,
  `cursor=${cursor("client_id a\n")}`,
  `cursor=${cursor("created_at 2026-11-21T12:00:00.000000Z a")}`,
  `sort=created_at&cursor=${cursor("client_id a")}`,
  `sort=created_at&cursor=${cursor("created_at 2026-02-30T12:00:00.000000Z a")}`,
  `sort=created_at&cursor=${cursor("created_at 0000-01-01T00:00:00.000000Z a")}`,
  `sort=created_at&cursor=${cursor("created_at 2026-11-21T24:00:00.000000Z a")}`,
  `sort=created_at&cursor=${cursor("created_at infinity a")}`,
  `cursor=${cursor("client_id a")}=`,
  `cursor=${cursor("client_id a-b").slice(0, -1)}`,
  `cursor=${"A".repeat(257)}`,
])("A5: %s is 400", async (query) => {
  const answer = await admin.get(`/clients?${query}`);
  expect(answer.status, answer.text).toBe(400);
});

test("A5: a cursor has one spelling", async () => {
  const text = cursor("client_id ab");
  expect((await admin.get(`/clients?cursor=${text}`)).status).toBe(200);
  for (let code = 32; code < 127; code++) {
    const other = `${text.slice(0, -1)}${String.fromCodePoint(code)}`;
    if (other === text || !/^[\w-]+$/.test(other)) continue;
    const isOne = Buffer.from(other, "base64url").toString("base64url") === other;
    const { status } = await admin.get(`/clients?cursor=${other}`);
    // Among those with one spelling, some name another place and some no place at all.
    expect(isOne ? [200, 400] : [400], other).toContain(status);
  }
});

test("A5: no text whatever in a query is answered 500", async () => {
  const name = fc.constantFrom("q", "cursor", "sort", "limit", "enabled", "scope", "resource");
  await fc.assert(
    fc.asyncProperty(name, fc.string({ unit: "binary", maxLength: 60 }), async (key, value) => {
      const query = new URLSearchParams({ [key]: value.toWellFormed() });
      const { status } = await admin.get(`/clients?${query.toString()}`);
      // On a busy machine the database may be late, which is a 503.
      expect([200, 400, 503]).toContain(status);
    }),
    { numRuns: 200 },
  );
});
