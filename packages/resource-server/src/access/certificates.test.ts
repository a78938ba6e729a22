/** Access tokens bound to a certificate (RFC 8705 §3), at a resource: good on a connection that shows it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createAuthority,
  SERVER_AUTH,
  type TestCertificate,
} from "@daykey/service/test/certificates";
import { createProofKey } from "@daykey/service/test/dpop-proofs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  RESOURCE,
  startResourceServer,
  type TestResourceServer,
} from "../../test/resource-server.ts";

let proxied: TestResourceServer;
/** It trusts other proxies than those that ask here. */
let strange: TestResourceServer;
/** Its own TLS asks for certificates. */
let own: TestResourceServer;
let certificate: TestCertificate;
let other: TestCertificate;
let renewed: TestCertificate;
let folder: string;

beforeAll(async () => {
  const authority = await createAuthority();
  const names = [{ type: "ip", value: "127.0.0.1" } as const];
  const [server, ...clients] = await Promise.all([
    authority.issue({ usages: [SERVER_AUTH], names }),
    authority.issue(),
    authority.issue(),
  ]);
  [certificate, other] = clients;
  renewed = await authority.issue({ keys: certificate.keys });
  folder = mkdtempSync(join(tmpdir(), "daykey-tls-"));
  const tls = {
    certificateFile: join(folder, "tls.pem"),
    keyFile: join(folder, "tls.key"),
    asksClients: true,
  };
  writeFileSync(tls.certificateFile, server.chain);
  writeFileSync(tls.keyFile, server.key);
  [proxied, strange, own] = await Promise.all([
    startResourceServer({
      config: { clientCertificates: "proxy", trustedProxies: ["127.0.0.0/8"] },
    }),
    startResourceServer({
      config: { clientCertificates: "proxy", trustedProxies: ["192.0.2.1"] },
    }),
    startResourceServer({ config: { clientCertificates: "tls", tls } }),
  ]);
});
afterAll(async () => {
  await Promise.all([proxied.stop(), strange.stop(), own.stop()]);
  rmSync(folder, { recursive: true });
});

const bound = (at: TestResourceServer, cnf: object = {}): string =>
  at.token({ claims: { cnf: { "x5t#S256": certificate.thumbprint, ...cnf } } });

async function time(
  at: TestResourceServer,
  field: string | undefined,
  token = bound(at),
  headers: Record<string, string> = {},
) {
  const { status, headers: told } = await at.request("GET /time", {
    headers: {
      authorization: `Bearer ${token}`,
      ...(field !== undefined && { "client-cert": field }),
      ...headers,
    },
  });
  return { status, challenge: told["www-authenticate"] ?? "" };
}

const INVALID = {
  status: 401,
  challenge: expect.stringMatching(/^Bearer .*error="invalid_token"/) as unknown,
};
const lastReason = (at: TestResourceServer): unknown =>
  at.lines.findLast(({ reason }) => reason !== undefined)?.["reason"];

describe("M6: a bound token is good on a connection that shows its certificate, and on no other", () => {
  test("a trusted proxy says so", async () => {
    expect((await time(proxied, certificate.field)).status).toBe(200);
    expect((await time(proxied, other.field, proxied.token())).status).toBe(200);
  });

  test.each([
    ["no certificate", () => undefined, "bound_token_without_certificate"],
    ["another", () => other.field, "bound_to_other_certificate"],
    ["the renewed one of the same key", () => renewed.field, "bound_to_other_certificate"],
    [
      "what is no field of RFC 9440",
      () => certificate.cert.split("\n")[1],
      "client_cert_malformed",
    ],
    ["two", () => `${certificate.field}, ${certificate.field}`, "client_cert_malformed"],
  ])("%s is 401 invalid_token", async (_, field, reason) => {
    expect(await time(proxied, field())).toEqual(INVALID);
    expect(lastReason(proxied)).toBe(reason);
  });

  test("two lines are 401 too", async () => {
    const lines = ["GET /time HTTP/1.1", "Host: x", "Connection: close"];
    const fields = [
      `Authorization: Bearer ${bound(proxied)}`,
      `Client-Cert: ${certificate.field}`,
      `Client-Cert: ${certificate.field}`,
    ];
    const answer = await proxied.exchange([...lines, ...fields, "", ""].join("\r\n"));
    expect(answer).toMatch(/^HTTP\/1.1 401 /);
  });

  test("M1: a stranger who knows the certificate, which is no secret, gets nothing by its header", async () => {
    const token = bound(strange);
    for (const headers of [
      {},
      { "x-forwarded-for": "192.0.2.1" },
      { forwarded: "for=192.0.2.1" },
    ]) {
      expect(await time(strange, certificate.field, token, headers)).toEqual(INVALID);
      expect(lastReason(strange)).toBe("bound_token_without_certificate");
    }
  });

  test("this server's own TLS says so, and its header never", async () => {
    const ask = (shown: TestCertificate | undefined, field = "") => {
      const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
      request(
        `${own.url.replace("http:", "https:")}/time`,
        {
          // Who serves is not what this is about.
          rejectUnauthorized: false,
          agent: false,
          ...(shown && { cert: shown.chain, key: shown.key }),
          headers: {
            authorization: `Bearer ${bound(own)}`,
            ...(field !== "" && { "client-cert": field }),
          },
        },
        (res) => {
          res.resume();
          resolve(res.statusCode);
        },
      )
        .on("error", reject)
        .end();
      return promise;
    };
    expect(await ask(certificate)).toBe(200);
    expect(await ask(certificate, "junk")).toBe(200);
    expect(await ask(other)).toBe(401);
    expect(await ask(renewed, certificate.field)).toBe(401);
    expect(await ask(undefined, certificate.field)).toBe(401);
  });

  test("one that is bound to a key too needs both", async () => {
    const key = createProofKey();
    const token = bound(proxied, { jkt: key.jkt });
    const dpop = () =>
      key.proof({ method: "GET", uri: `${RESOURCE}/time`, accessToken: token, at: proxied.now() });
    const ask = (headers: Record<string, string>) =>
      time(proxied, undefined, token, { authorization: `DPoP ${token}`, ...headers });
    expect((await ask({ dpop: dpop(), "client-cert": certificate.field })).status).toBe(200);
    expect((await ask({ dpop: dpop() })).status).toBe(401);
    expect((await ask({ "client-cert": certificate.field })).status).toBe(401);
    expect((await time(proxied, certificate.field, token)).status).toBe(401);
  });

  test("the metadata say that it can be", async () => {
    const { body } = await proxied.request("GET /.well-known/oauth-protected-resource");
    expect(body).toMatchObject({ tls_client_certificate_bound_access_tokens: true });
  });
});
