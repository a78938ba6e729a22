/** CLIENT_CA_FILE: what is wrong with it is said, and a change is taken up. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createAuthority,
  type TestAuthority,
  type TestCertificate,
} from "@daykey/service/test/certificates";
import { createTestLog } from "@daykey/service/test/log";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createCertificateChecker } from "./authenticate-certificate.ts";
import { openCertificateAuthorities } from "./certificate-authorities.ts";

let folder: string;
let authority: TestAuthority;
let certificate: TestCertificate;
const file = (): string => join(folder, "clients.pem");
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "daykey-ca-"));
  authority = await createAuthority();
  certificate = await authority.issue();
});
afterAll(() => rmSync(folder, { recursive: true }));

const BAD: Readonly<Record<string, readonly [() => string, string]>> = {
  "no certificate": [() => "hello", "CLIENT_CA_FILE holds no certificate in PEM."],
  "what is no certificate": [
    () => `${authority.cert}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----`,
    "Certificate 2 of CLIENT_CA_FILE cannot be read.",
  ],
  "a client's certificate": [
    () => `${authority.cert}\n${certificate.cert}`,
    "Certificate 2 of CLIENT_CA_FILE is of no authority.",
  ],
};

test.each(Object.entries(BAD))("a start with %s says what is wrong", (_, [text, message]) => {
  writeFileSync(file(), text());
  const { log } = createTestLog();
  expect(() => openCertificateAuthorities(file(), { log })).toThrow(message);
});

test("M3: a change is taken up, verdicts from before included, and what cannot be used changes nothing", async () => {
  const { log, lines } = createTestLog();
  writeFileSync(file(), authority.cert);
  const authorities = openCertificateAuthorities(file(), { log, lookSeconds: 0.02 });
  const checker = createCertificateChecker({ authorities, jwks: { find: async () => [] } });
  const tlsClientAuth = { name: "subject_dn", value: "CN=client.test" };
  const entry = { client: { tlsClientAuth, authMethods: [] }, keys: [], takenKids: new Set() };
  const newer = await createAuthority({ subject: "CN=Newer" });
  const other = await newer.issue();
  const judge = async ({ der }: TestCertificate): Promise<unknown> => {
    const proof = await checker.check({ der, chain: [] }, entry as never, Date.now() / 1000);
    return typeof proof === "string" ? proof : proof.method;
  };
  expect([await judge(certificate), await judge(other)]).toEqual([
    "tls_client_auth",
    "certificate_unknown_authority",
  ]);
  writeFileSync(file(), other.cert);
  const told = (event: string) => () =>
    expect(lines).toContainEqual(expect.objectContaining({ event }));
  await vi.waitFor(told("client_ca_unusable"), 30_000);
  expect(await judge(certificate)).toBe("tls_client_auth");
  writeFileSync(file(), newer.cert);
  await vi.waitFor(told("client_ca_read"), 30_000);
  expect([await judge(certificate), await judge(other)]).toEqual([
    "certificate_unknown_authority",
    "tls_client_auth",
  ]);
  authorities.close();
});
