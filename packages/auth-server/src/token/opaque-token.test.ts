import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AccessTokenClaims, decodeAccessTokenClaims } from "@daykey/common/access-token";
import { API, ISSUER, startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";
import { refreshTokenOf } from "../../test/refresh.ts";
import { createSymmetricKey } from "../keys/symmetric-keys.ts";
import { formatOpaqueToken, openOpaqueToken } from "./opaque-token.ts";

const claims: AccessTokenClaims = {
  iss: ISSUER,
  sub: "c",
  client_id: "c",
  aud: API,
  iat: 1,
  exp: 601,
  jti: "j",
  scope: "time:read",
  gid: "g",
  ep: 0,
  cred: "k3f9a1c2",
};

describe("dka1.<key id>.<iv ‖ ciphertext ‖ tag>", () => {
  const key = createSymmetricKey("aaaaaaaa", Buffer.alloc(32, 7));
  const keyOf = (kid: string) => (kid === key.kid ? key : undefined);
  const token = formatOpaqueToken(claims, key, ISSUER);
  const read = (text: string, issuer = ISSUER) => {
    const opened = openOpaqueToken(text, keyOf, issuer);
    return opened && decodeAccessTokenClaims(opened);
  };

  test("reads back, and says nothing of its claims to who holds it", () => {
    expect(token).toMatch(/^dka1\.aaaaaaaa\.[\w-]+$/);
    expect(read(token)).toEqual(claims);
    const bytes = Buffer.from(token.split(".")[2] ?? "", "base64url").toString("latin1");
    expect(bytes).not.toContain(claims.scope);
  });

  test("T4: no two are alike", () => {
    expect(formatOpaqueToken(claims, key, ISSUER)).not.toBe(token);
  });

  test("any single bit changed, another key id, another issuer, other spellings: not ours", () => {
    const [, , text = ""] = token.split(".");
    const bytes = Buffer.from(text, "base64url");
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(read(`dka1.aaaaaaaa.${changed.toString("base64url")}`)).toBeUndefined();
    }
    const others = [
      token.replace("aaaaaaaa", "aaaaaaab"),
      token.replace("dka1", "dka2"),
      `${token}=`,
      `${token} `,
      token.slice(0, -1),
      "dka1.aaaaaaaa.",
      "dka1.aaaaaaaa.AAAA",
      `dka1.aaaaaaaa.${"A".repeat(9000)}`,
    ];
    for (const other of others) expect(read(other)).toBeUndefined();
    expect(read(token, "https://other.example.test")).toBeUndefined();
  });
});

describe("a client may be given opaque access tokens", () => {
  let server: TestAuthServer;
  beforeAll(async () => {
    server = await startAuthServer();
  });
  afterAll(() => server.stop());

  test("introspection tells its claims, a refresh gives another, revocation ends it", async () => {
    const client = await server.createClient({ accessTokenFormat: "opaque" });
    const first = await server.clientCredentials(client);
    const token = String(first.body["access_token"]);
    expect(token).toMatch(/^dka1\./);
    const told = await server.postAs(client, "/oauth2/introspect", { token });
    expect(told.body).toMatchObject({ active: true, aud: API, client_id: client.clientId });

    const second = await server.refresh(client, refreshTokenOf(first));
    expect(second.body["access_token"]).toMatch(/^dka1\./);

    expect((await server.postAs(client, "/oauth2/revoke", { token })).status).toBe(200);
    await server.look();
    const after = await server.postAs(client, "/oauth2/introspect", { token });
    expect(after.text).toBe('{"active":false}');
  });

  test("it stays good for its life while its key is rotated, and not longer", async () => {
    const client = await server.createClient({ accessTokenFormat: "opaque" });
    const { body } = await server.clientCredentials(client);
    const token = String(body["access_token"]);
    server.advance(599);
    const introspect = () => server.postAs(client, "/oauth2/introspect", { token });
    expect((await introspect()).body["active"]).toBe(true);
    server.advance(1);
    expect((await introspect()).text).toBe('{"active":false}');
  });
});
