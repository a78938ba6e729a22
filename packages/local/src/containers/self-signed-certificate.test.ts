import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createServer, request } from "node:https";
import type { AddressInfo } from "node:net";

import { expect, test } from "vitest";

import { selfSignedCertificate } from "./self-signed-certificate.ts";

const NAMES = ["localhost", "127.0.0.1", `${"long.".repeat(30)}example.com`];
const now = Date.now() / 1000;
const made = selfSignedCertificate({ names: NAMES, now, days: 30 });

test("RFC 5280: it is for its names and no other, signs nothing, and verifies by its own key", () => {
  const certificate = new X509Certificate(made.certificate);
  expect(certificate.checkHost("localhost")).toBe("localhost");
  expect(certificate.checkHost(NAMES[2] ?? "")).toBe(NAMES[2]);
  expect(certificate.checkIP("127.0.0.1")).toBe("127.0.0.1");
  expect(certificate.checkHost("example.com")).toBeUndefined();
  expect(certificate.checkIP("127.0.0.2")).toBeUndefined();
  expect(certificate.ca).toBe(false);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(certificate.issuer).toBe(certificate.subject);
  expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
  expect(Date.parse(certificate.validTo) / 1000).toBeCloseTo(now + 30 * 86_400, -1);
  expect(Date.parse(certificate.validFrom) / 1000).toBeCloseTo(now - 86_400, -1);
});

test("two are never the same", () => {
  const other = selfSignedCertificate({ names: NAMES, now, days: 30 });
  const [first, second] = [made, other].map(({ certificate }) => new X509Certificate(certificate));
  expect(first?.serialNumber).not.toBe(second?.serialNumber);
  expect(first?.fingerprint256).not.toBe(second?.fingerprint256);
});

test.each([
  ["one who trusts it", made.certificate, "localhost", 200],
  ["one who trusts it, by address", made.certificate, "127.0.0.1", 200],
  [
    "one who trusts another",
    selfSignedCertificate({ names: NAMES, now, days: 30 }).certificate,
    "localhost",
    "DEPTH_ZERO_SELF_SIGNED_CERT",
  ],
  [
    "one who asks for another name",
    made.certificate,
    "other.example",
    "ERR_TLS_CERT_ALTNAME_INVALID",
  ],
])("TLS with it, for %s", async (_, ca, servername, outcome) => {
  const server = createServer({ key: made.key, cert: made.certificate }, (_request, answer) => {
    answer.end();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  try {
    const { port } = server.address() as AddressInfo;
    const checkName = servername === "127.0.0.1" ? {} : { servername };
    const asked = request({ host: "127.0.0.1", port, ca, agent: false, ...checkName }).end();
    const seen = await once(asked, "response").then(
      ([response]) => response.statusCode as number,
      (error: unknown) => (error as NodeJS.ErrnoException).code,
    );
    expect(seen).toBe(outcome);
  } finally {
    server.close();
  }
});
