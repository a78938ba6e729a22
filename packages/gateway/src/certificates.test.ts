/** Tokens that are bound to a certificate, at the gateway's doors: the proxy says which one it saw. */
import { startAuthServer, type TestAuthServer } from "@daykey/auth-server/test/auth-server";
import { selfSigned, type TestCertificate } from "@daykey/service/test/certificates";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HOST, startGateway, type TestGateway } from "../test/gateway.ts";
import { readConfig } from "./config.ts";

let auth: TestAuthServer;
let believing: TestGateway;
/** As it is by default. */
let plain: TestGateway;
let certificate: TestCertificate;
let token: string;

beforeAll(async () => {
  auth = await startAuthServer({
    config: { clientCertificates: "proxy", trustedProxies: ["127.0.0.1"] },
  });
  const { guard } = readConfig({
    ROUTES_FILE: "routes.yaml",
    DOORS: "nginx",
    RESOURCE: `https://${HOST}`,
    ISSUER: auth.config.issuer,
    AUTH_SERVER_URL: auth.url,
    TRUSTED_PROXIES: "127.0.0.1",
    CLIENT_CERTIFICATES: "proxy",
  });
  believing = await startGateway({ auth, config: { guard, clientCertificates: "proxy" } });
  plain = await startGateway({ auth });
  certificate = await selfSigned();
  const client = await auth.createClient({ certificateBound: true });
  const { body } = await auth.token(
    {
      grant_type: "client_credentials",
      client_id: client.clientId,
      client_secret_hash: await auth.dayForm(client),
    },
    { "client-cert": certificate.field },
  );
  token = String(body["access_token"]);
});
afterAll(async () => {
  await Promise.all([believing.stop(), plain.stop()]);
  await auth.stop();
});

const ask = async (gateway: TestGateway, field?: string): Promise<number> => {
  const { status } = await fetch(`${gateway.url}/nginx`, {
    headers: {
      "x-original-method": "GET",
      "x-original-host": HOST,
      "x-original-uri": "/time",
      authorization: `Bearer ${token}`,
      ...(field !== undefined && { "client-cert": field }),
    },
  });
  return status;
};

test("M6: at the gateway too, and only where it is told to believe its proxies", async () => {
  expect(await ask(believing, certificate.field)).toBe(200);
  expect(await ask(believing, (await selfSigned()).field)).toBe(401);
  expect(await ask(believing)).toBe(401);
  expect(await ask(believing, `${certificate.field}, ${certificate.field}`)).toBe(401);
  expect(await ask(plain, certificate.field)).toBe(401);
});
