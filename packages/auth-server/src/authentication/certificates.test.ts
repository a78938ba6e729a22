/** Clients that prove themselves by certificates, and tokens that are bound to them (RFC 8705). */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createAuthority,
  selfSigned,
  type TestAuthority,
  type TestCertificate,
} from "@daykey/service/test/certificates";
import { createProofKey } from "@daykey/service/test/dpop-proofs";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestAdmin, NEW_CLIENT, type TestAdmin } from "../../test/admin.ts";
import {
  type Answer,
  API,
  ISSUER,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "../../test/auth-server.ts";
import { NAMES, REFUSED, SUBJECT, WRITTEN } from "../../test/hostile-certificates.ts";
import type { CertificateName, ClientRegistration } from "../clients/client.ts";

let server: TestAuthServer;
let admin: TestAdmin;
let authority: TestAuthority;
let folder: string;
const caFile = (): string => join(folder, "clients.pem");

beforeAll(async () => {
  authority = await createAuthority();
  folder = mkdtempSync(join(tmpdir(), "daykey-ca-"));
  writeFileSync(caFile(), authority.cert);
  server = await startAuthServer({
    config: {
      clientCertificates: "proxy",
      trustedProxies: ["127.0.0.1"],
      clientCaFile: caFile(),
      mtlsUrl: "https://mtls.example.test",
    },
  });
  admin = await createTestAdmin(server);
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

const named = (value: string, name: CertificateName["name"] = "subject_dn") =>
  server.createClient({
    authMethods: ["tls_client_auth"],
    tlsClientAuth: { name, value },
  });

const headersOf = ({ field, chainField }: TestCertificate): Record<string, string> => ({
  "client-cert": field,
  ...(chainField !== "" && { "client-cert-chain": chainField }),
});

function ask(
  client: Pick<TestClient, "clientId">,
  certificate: TestCertificate | undefined,
  form: Record<string, string> = {},
): Promise<Answer> {
  const whole = { grant_type: "client_credentials", client_id: client.clientId, ...form };
  return server.token(whole, certificate ? headersOf(certificate) : {});
}

/** Why the last request was refused, as the log says it. */
const reasonOf = (): unknown =>
  server.lines.findLast(({ reason }) => reason !== undefined)?.["reason"];

describe("M3: a certificate of a configured authority proves a client of its name", () => {
  test.each(Object.entries(NAMES))("%s", async (_, [{ name, value }, options]) => {
    const answer = await ask(await named(value, name), await authority.issue(options));
    expect([answer.status, answer.body["token_type"]], answer.text).toEqual([200, "Bearer"]);
  });

  test("with authorities between, which came with it in any order", async () => {
    const client = await named(SUBJECT);
    const one = await authority.issueAuthority({ subject: "CN=One" });
    const two = await one.issueAuthority({ subject: "CN=Two" });
    const certificate = await two.issue({ subject: WRITTEN });
    expect((await ask(client, certificate)).status).toBe(200);
    const reversed = certificate.chainField.split(", ").toReversed().join(", ");
    expect((await ask(client, { ...certificate, chainField: reversed })).status).toBe(200);
    expect((await ask(client, { ...certificate, chainField: "" })).status).toBe(401);
    expect(reasonOf()).toBe("certificate_unknown_authority");
  });

  test("refreshes, introspects and revokes by it; another name ends what it opened", async () => {
    const client = await named(SUBJECT);
    const certificate = await authority.issue({ subject: WRITTEN });
    const { body } = await ask(client, certificate);
    const refresh_token = body["refresh_token"] as string;
    const refreshed = await ask(client, certificate, {
      grant_type: "refresh_token",
      refresh_token,
    });
    expect(refreshed.status, refreshed.text).toBe(200);
    const renewed = await authority.issue({ subject: WRITTEN });
    const last = { grant_type: "refresh_token", refresh_token: refreshed.body["refresh_token"] };
    const again = await ask(client, renewed, last as Record<string, string>);
    expect(again.status, again.text).toBe(200);
    await server.database.query(
      `update daykey.clients set tls_client_auth = '{"name":"subject_dn","value":"CN=x"}'
       where client_id = $1`,
      [client.clientId],
    );
    await server.look();
    const other = await authority.issue({ subject: "CN=x" });
    const late = { ...last, refresh_token: again.body["refresh_token"] };
    const refused = await ask(client, other, late as Record<string, string>);
    expect(refused.body["error"]).toBe("invalid_grant");
  });

  test.each(Object.entries(REFUSED))("M3: refused: %s", async (_, [reason, make, wanted]) => {
    const { name, value } = wanted ?? { name: "subject_dn", value: SUBJECT };
    const [client, certificate] = await Promise.all([named(value, name), make(authority)]);
    const answer = await ask(client, certificate);
    expect([answer.status, answer.body], answer.text).toEqual([
      401,
      { error: "invalid_client", error_description: "Client authentication failed." },
    ]);
    expect(reasonOf()).toBe(reason);
  });

  test("M3: an unknown client, a disabled one and one without the method are answered alike", async () => {
    const certificate = await authority.issue({ subject: WRITTEN });
    const disabled = await named(SUBJECT);
    await server.database.query(`update daykey.clients set enabled = false where client_id = $1`, [
      disabled.clientId,
    ]);
    const without = await server.createClient({
      tlsClientAuth: { name: "subject_dn", value: SUBJECT },
    });
    await server.look();
    const clients = [
      { clientId: "nobody" },
      { clientId: `-${"x".repeat(300)}` },
      disabled,
      without,
    ];
    for (const client of clients) {
      const answer = await ask(client, certificate);
      expect([answer.status, answer.body["error"]]).toEqual([401, "invalid_client"]);
    }
    expect(reasonOf()).toBe("method_not_registered");
    expect((await ask(disabled, undefined)).status).toBe(401);
    expect(reasonOf()).toBe("no_credential");
  });

  test("M2: what is no Client-Cert of RFC 9440 is invalid_request, and what is no certificate nobody's", async () => {
    const client = await named(SUBJECT);
    const { field, cert } = await authority.issue({ subject: WRITTEN });
    const form = { grant_type: "client_credentials", client_id: client.clientId };
    for (const text of [`${field}, ${field}`, encodeURIComponent(cert), field.slice(1, -1)]) {
      const answer = await server.token(form, { "client-cert": text });
      expect([answer.status, answer.body["error"]]).toEqual([400, "invalid_request"]);
      expect(reasonOf()).toBe("client_cert_malformed");
    }
    const der = Buffer.from(field.slice(1, -1), "base64");
    for (const bytes of [Buffer.from(cert), Buffer.concat([der, der]), der.subarray(0, -1)]) {
      const answer = await server.token(form, { "client-cert": `:${bytes.toString("base64")}:` });
      expect([answer.status, answer.body["error"]]).toEqual([401, "invalid_client"]);
      expect(reasonOf()).toBe("certificate_unreadable");
    }
  });
});

describe("M4: a registered certificate proves its client, whoever issued it", () => {
  const wish = {
    ...NEW_CLIENT,
    secret: null,
    auth_methods: ["self_signed_tls_client_auth"],
    tls_client_certificate_bound_access_tokens: true,
  };
  const jwkOf = async ({ keys, der }: TestCertificate) => ({
    ...(await crypto.subtle.exportKey("jwk", keys.publicKey)),
    x5c: [der.toString("base64")],
  });
  async function register(certificate: TestCertificate) {
    const { client } = (await admin.call("post", "/clients", wish)).body as {
      client: { client_id: string };
    };
    const added = await admin.call("post", `/clients/${client.client_id}/keys`, {
      jwk: await jwkOf(certificate),
    });
    await server.look();
    return { clientId: client.client_id, added };
  }

  test("until it is revoked, and no other of the same key", async () => {
    const certificate = await selfSigned();
    const { added, ...client } = await register(certificate);
    expect([added.status, added.body]).toMatchObject([
      201,
      { kid: certificate.thumbprint, jwk: { "x5t#S256": certificate.thumbprint } },
    ]);
    const answer = await ask(client, certificate);
    expect(answer.status, answer.text).toBe(200);
    expect(decodeJwt(answer.body["access_token"] as string)).toMatchObject({
      cred: certificate.thumbprint,
      cnf: { "x5t#S256": certificate.thumbprint },
    });
    const renewed = await selfSigned({ keys: certificate.keys });
    expect((await ask(client, renewed)).status).toBe(401);
    await admin.call("post", `/clients/${client.clientId}/keys/${certificate.thumbprint}/revoke`);
    await server.look();
    expect((await ask(client, certificate)).status).toBe(401);
    expect(reasonOf()).toBe("certificate_of_another");
  });

  test("not when it has expired", async () => {
    const certificate = await selfSigned({ from: -3, until: -1 });
    const { added, ...client } = await register(certificate);
    expect(added.status).toBe(201);
    expect((await ask(client, certificate)).status).toBe(401);
    expect(reasonOf()).toBe("certificate_expired");
  });

  test("M4: what is not the key's own certificate is refused", async () => {
    const [one, two] = await Promise.all([selfSigned(), selfSigned()]);
    const { clientId } = await register(one);
    const jwk = await jwkOf(two);
    const bad = [
      { ...jwk, x5c: [one.der.toString("base64")] },
      { ...jwk, x5c: ["AAAA"] },
      { ...jwk, x5c: [two.cert.replaceAll("\n", "")] },
      { ...jwk, x5c: [two.der.toString("base64url")] },
      { ...jwk, "x5t#S256": one.thumbprint },
    ];
    for (const wrong of bad) {
      const answer = await admin.call("post", `/clients/${clientId}/keys`, { jwk: wrong });
      expect([answer.status, answer.text]).toMatchObject([400, expect.stringContaining("x5c")]);
    }
  });
});

describe("M5: tokens of a client that is registered so are bound to the certificate of the connection", () => {
  const bound = (registration: Partial<ClientRegistration> = {}) =>
    server.createClient({ certificateBound: true, ...registration });
  const asked = async (client: TestClient, certificate?: TestCertificate) =>
    ask(client, certificate, { client_secret_hash: await server.dayForm(client) });

  test.each(["jwt", "opaque"] as const)("%s, whatever it authenticates with", async (format) => {
    const resourceServer = await server.createClient({
      scopes: ["introspect"],
      resources: [ISSUER],
    });
    await server.database.query(
      `update daykey.resources set owner_client_id = $1 where uri = '${API}'`,
      [resourceServer.clientId],
    );
    await server.look();
    const certificate = await selfSigned();
    const answer = await asked(await bound({ accessTokenFormat: format }), certificate);
    expect([answer.status, answer.body["token_type"]], answer.text).toEqual([200, "Bearer"]);
    const told = await server.postAs(resourceServer, "/oauth2/introspect", {
      token: answer.body["access_token"] as string,
    });
    expect(told.body).toMatchObject({
      active: true,
      token_type: "Bearer",
      cnf: { "x5t#S256": certificate.thumbprint },
    });
  });

  test("without one it gets none; nor for the auth-server itself", async () => {
    const answer = await asked(await bound());
    expect([answer.status, answer.body["error"]]).toEqual([400, "invalid_request"]);
    expect(reasonOf()).toBe("certificate_missing");
    const client = await bound({ scopes: ["introspect"], resources: [ISSUER] });
    const own = await asked(client, await selfSigned());
    expect([own.status, own.body["error"]]).toEqual([400, "invalid_target"]);
  });

  test("a client that is not registered so gets bearer tokens", async () => {
    const answer = await asked(await server.createClient(), await selfSigned());
    expect(decodeJwt(answer.body["access_token"] as string)["cnf"]).toBeUndefined();
  });
});

test("B1: a proof may be for the endpoint's other address too, and for no third one", async () => {
  const key = createProofKey();
  const client = await server.createClient();
  const status = async (at: string): Promise<number> => {
    const dpop = key.proof({ uri: `${at}/oauth2/token`, at: server.now() });
    const form = { grant_type: "client_credentials", client_id: client.clientId };
    const client_secret_hash = await server.dayForm(client);
    return (await server.token({ ...form, client_secret_hash }, { dpop })).status;
  };
  expect(await status("https://mtls.example.test")).toBe(200);
  expect(await status(ISSUER)).toBe(200);
  expect(await status("https://other.example.test")).toBe(400);
});

test("the metadata say all of it", async () => {
  const read = await fetch(`${server.url}/.well-known/oauth-authorization-server`);
  expect(await read.json()).toMatchObject({
    token_endpoint_auth_methods_supported: expect.arrayContaining([
      "tls_client_auth",
      "self_signed_tls_client_auth",
    ]) as unknown,
    tls_client_certificate_bound_access_tokens: true,
    mtls_endpoint_aliases: {
      token_endpoint: "https://mtls.example.test/oauth2/token",
      introspection_endpoint: "https://mtls.example.test/oauth2/introspect",
      revocation_endpoint: "https://mtls.example.test/oauth2/revoke",
    },
  });
});

test("a registration of what this server cannot check, or of no name, is refused", async () => {
  const wish = { ...NEW_CLIENT, secret: null, auth_methods: ["tls_client_auth"] };
  for (const tls_client_auth of [
    null,
    { name: "subject_dn", value: "CN=a;O=b" },
    { name: "san_dns", value: "*.example" },
  ]) {
    const answer = await admin.call("post", "/clients", { ...wish, tls_client_auth });
    expect([answer.status, answer.text]).toMatchObject([
      400,
      expect.stringContaining("tls_client_auth"),
    ]);
  }
});
