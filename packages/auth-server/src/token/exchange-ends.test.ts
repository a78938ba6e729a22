/** Trees of exchanged tokens: whatever ends one ends all below it, in whatever order. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ISSUER, startAuthServer, type TestClient } from "../../test/auth-server.ts";
import { startDatabaseProxy } from "../../test/database-proxy.ts";
import {
  claimsOf,
  type ExchangeServer,
  startExchangeServer,
  tokenIn,
} from "../../test/exchange.ts";

let given: ExchangeServer;
let person: TestClient;
let agent: TestClient;
let subAgent: TestClient;
beforeAll(async () => {
  given = await startExchangeServer();
  person = await given.server.createClient();
  agent = await given.actor();
  subAgent = await given.actor();
});
afterAll(() => given.server.stop());

describe("E5: whatever ends what is above ends what is below, and no sibling", () => {
  const ENDS: [string, (root: string, by: TestClient) => Promise<{ status: number }>][] = [
    [
      "its grant is revoked",
      (root, by) => given.server.postAs(by, "/oauth2/revoke", { token: root }),
    ],
    [
      "an admin revokes it",
      (root) => given.admin.post("/revocations", { grant: claimsOf(root)["gid"] }),
    ],
    ["its client is disabled", (_root, by) => given.admin.post(`/clients/${by.clientId}/disable`)],
    [
      "its client's tokens are ended",
      (_root, by) => given.admin.post(`/clients/${by.clientId}/revoke-tokens`),
    ],
    [
      "its secret is revoked",
      (_root, by) => given.admin.post(`/clients/${by.clientId}/secrets/${by.kid}/revoke`),
    ],
    ["its client is deleted", (_root, by) => given.admin.call("DELETE", `/clients/${by.clientId}`)],
  ];
  test.each(ENDS)("%s", async (_what, end) => {
    const owner = await given.server.createClient();
    const root = await given.tokenOf(owner);
    const middle = await given.exchanged(agent, root);
    const leaf = await given.exchanged(subAgent, middle);
    const sibling = await given.exchanged(agent, await given.tokenOf(person));
    expect(await Promise.all([middle, leaf, sibling].map(given.isActive))).toEqual([
      true,
      true,
      true,
    ]);
    expect((await end(root, owner)).status).toBeLessThan(300);
    expect(await Promise.all([middle, leaf, sibling].map(given.isActive))).toEqual([
      false,
      false,
      true,
    ]);
    // Nor does anything come of them any more.
    for (const token of [root, middle, leaf]) {
      expect((await given.exchange(subAgent, token)).status).toBe(400);
    }
  });

  test("of three, the end of the one in the middle", async () => {
    const root = await given.tokenOf(person);
    const middle = await given.exchanged(agent, root);
    const [leaf, other] = [
      await given.exchanged(subAgent, middle),
      await given.exchanged(subAgent, root),
    ];
    await given.server.postAs(agent, "/oauth2/revoke", { token: middle });
    expect(await Promise.all([root, middle, leaf, other].map(given.isActive))).toEqual([
      true,
      false,
      false,
      true,
    ]);
  });

  test("an admin is told what ended which grant of a tree, and nothing of what is no token", async () => {
    const owner = await given.server.createClient();
    const root = await given.tokenOf(owner);
    const middle = await given.exchanged(agent, root);
    const leaf = await given.exchanged(subAgent, middle, { scope: "time:read" });
    const explain = async (token: string): Promise<Record<string, unknown>> =>
      (await given.admin.post("/tokens/explain", { token })).body;
    const ends = async (): Promise<unknown> =>
      ((await explain(leaf))["grants"] as { ended: string | null }[]).map(({ ended }) => ended);
    expect(await explain(leaf)).toMatchObject({
      active: true,
      refused: null,
      token: {
        client_id: subAgent.clientId,
        subject: owner.clientId,
        actors: [subAgent.clientId, agent.clientId],
        scope: "time:read",
      },
      grants: [
        { client_id: owner.clientId, credential: owner.kid, ended: null },
        { client_id: agent.clientId, ended: null },
        { grant: claimsOf(leaf)["gid"], client_id: subAgent.clientId, ended: null },
      ],
    });
    await given.server.postAs(agent, "/oauth2/revoke", { token: middle });
    expect(await ends()).toEqual([null, "grant", null]);
    await given.admin.post(`/clients/${owner.clientId}/secrets/${owner.kid}/revoke`);
    expect(await ends()).toEqual(["credential", "grant", null]);
    await given.admin.post(`/clients/${owner.clientId}/disable`);
    expect(await explain(leaf)).toMatchObject({ active: false, refused: "revoked" });
    const none = { active: false, refused: "not_our_token", token: null, grants: [] };
    for (const text of ["x", leaf.slice(0, -4), "dka1.a.b"])
      expect(await explain(text)).toEqual(none);
  });

  test("a token on behalf of an admin is an admin's, but opens no session that would outlive what is above it", async () => {
    const rights = { scopes: ["daykey:admin"], resources: [ISSUER] } as const;
    const boss = await given.server.createClient(rights);
    const by = await given.actor(rights);
    const token = await given.exchanged(by, await given.tokenOf(boss));
    const ask = async (method: string, path: string): Promise<number> =>
      (
        await fetch(`${given.server.privateUrl}/admin/v1${path}`, {
          method,
          headers: { authorization: `Bearer ${token}` },
        })
      ).status;
    expect(await ask("GET", "/clients")).toBe(200);
    const line = given.server.lines.findLast(({ actor }) => actor === by.clientId);
    expect(line).toMatchObject({ action: "listClients", onBehalfOf: boss.clientId });
    expect(await ask("POST", "/console/links")).toBe(403);
  });

  test("an exchange at an instance that has not heard gives a token that is dead all the same", async () => {
    const proxy = await startDatabaseProxy(given.server.database.appUrl);
    const deaf = await startAuthServer({
      database: given.server.database,
      config: { tokenExchange: true, databaseUrl: proxy.url },
    });
    try {
      const root = await given.tokenOf(person);
      expect((await given.exchange(agent, root, {}, {}, deaf)).status).toBe(200);
      proxy.cut();
      await given.server.postAs(person, "/oauth2/revoke", { token: root });
      const token = tokenIn(await given.exchange(agent, root, {}, {}, deaf));
      expect(await given.isActive(token)).toBe(false);
    } finally {
      await deaf.stop();
      await proxy.stop();
    }
  });
});
