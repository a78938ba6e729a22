import { afterAll, beforeAll, expect, test } from "vitest";

import { type AppServer, startAppServer } from "../../test/app-server.ts";
import { createTrustedProxies } from "./address.ts";
import { type CertificateSource, createCertificateReader } from "./client-certificate.ts";

let trusting: AppServer;
let strange: AppServer;

/** A server that shows what it takes for the certificate of the caller. */
function serve(source: CertificateSource, proxies: string[]): Promise<AppServer> {
  const trustedProxies = createTrustedProxies(proxies);
  const certificateOf = createCertificateReader({ source, trustedProxies });
  return startAppServer({
    addRoutes(router) {
      router.get("/certificate", (ctx) => {
        const certificate = certificateOf(ctx.req);
        ctx.body = { der: certificate ? Buffer.from(certificate.der).toString("hex") : "none" };
      });
    },
  });
}

beforeAll(async () => {
  [trusting, strange] = await Promise.all([
    serve("proxy", ["127.0.0.1"]),
    serve("proxy", ["192.0.2.1", "10.0.0.0/8"]),
  ]);
});
afterAll(async () => void (await Promise.all([trusting.stop(), strange.stop()])));

const ask = (server: AppServer, ...lines: string[]) => {
  const head = ["GET /certificate HTTP/1.1", "Host: a", "Connection: close", ...lines];
  return server.exchange(`${head.join("\r\n")}\r\n\r\n`);
};

test("M1: a trusted proxy says which certificate its client proved", async () => {
  expect(await ask(trusting, "Client-Cert: :AQID:")).toMatch(/\{"der":"010203"\}$/);
  expect(await ask(trusting, "client-CERT:   :AQID:  ")).toMatch(/\{"der":"010203"\}$/);
  expect(await ask(trusting)).toMatch(/\{"der":"none"\}$/);
});

test.each([
  [["Client-Cert: :AQID:"]],
  [["Client-Cert: :AQID:", "X-Forwarded-For: 192.0.2.1"]],
  [["Client-Cert: :AQID:", "Forwarded: for=192.0.2.1", "X-Real-IP: 10.0.0.1"]],
  [["Client-Cert: :AQID:", "Client-Cert: :AQID:"]],
  [["Client-Cert: junk"]],
])("M1: from anyone else it is as if it were not there: %j", async (lines) => {
  expect(await ask(strange, ...lines)).toMatch(/^HTTP\/1.1 200 [^]*\{"der":"none"\}$/);
});

test("M2: what a trusted proxy sends in another form, or twice, is 400", async () => {
  for (const lines of [["Client-Cert: junk"], ["Client-Cert: :AQID:", "Client-Cert: :BA==:"]]) {
    const answer = await ask(trusting, ...lines);
    expect(answer).toMatch(/^HTTP\/1.1 400 [^]*urn:daykey:problem:invalid-request/);
  }
  expect(trusting.lines).toContainEqual(
    expect.objectContaining({ reason: "client_cert_malformed" }),
  );
});

test("M1: where certificates are not asked for, the field of a trusted proxy is nothing", () => {
  const trustedProxies = createTrustedProxies(["127.0.0.1"]);
  const off = createCertificateReader({ source: "off", trustedProxies });
  const req = {
    socket: { remoteAddress: "127.0.0.1" },
    headersDistinct: { "client-cert": [":AQID:"] },
  };
  expect(off(req as never)).toBeUndefined();
});
