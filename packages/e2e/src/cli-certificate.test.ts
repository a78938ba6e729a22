/** A client with a certificate: its credential file names the files, and each connection shows it. */
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import { createServer as createPlainServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { createDesk, type Desk } from "@daykey/cli/test/run-daykey";
import { createAuthority, SERVER_AUTH } from "@daykey/service/test/certificates";
import { afterAll, beforeAll, expect, test } from "vitest";

let desk: Desk;
let server: Server;
/** What came: the path, the form, and the subject of the certificate. */
const seen: string[] = [];

beforeAll(async () => {
  desk = await createDesk();
  const authority = await createAuthority();
  const names = ["localhost", "api.example.test"].map((value) => ({ type: "dns", value }) as const);
  const served = await authority.issue({ usages: [SERVER_AUTH], names });
  const own = await authority.issue({ subject: "CN=billing" });
  server = createServer(
    { cert: served.chain, key: served.key, requestCert: true, rejectUnauthorized: false },
    (req, res) => {
      let form = "";
      req.on("data", (chunk: Buffer) => (form += chunk.toString()));
      req.on("end", () => {
        const { CN } = (req.socket as TLSSocket).getPeerCertificate().subject ?? {};
        seen.push(`${req.url} ${form} ${String(CN)}`);
        const token = { access_token: "token-1", token_type: "Bearer", expires_in: 600 };
        const body = req.url === "/oauth2/token" ? token : { local: "now", zone: "UTC" };
        res.setHeader("content-type", "application/json").end(JSON.stringify(body));
      });
    },
  );
  await once(server.listen(0, "localhost"), "listening");
  const url = `https://localhost:${(server.address() as AddressInfo).port}`;
  const files = { certificate_file: "billing.pem", key_file: "billing.key" };
  const credential = {
    issuer: url,
    token_endpoint: `${url}/oauth2/token`,
    resource: url,
    client_id: "billing",
    ...files,
  };
  const put = async (name: string, text: string) =>
    writeFile(join(desk.folder, name), text, { mode: 0o600 });
  await put("ca.pem", authority.cert);
  await put("billing.pem", own.chain);
  await put("billing.key", own.key);
  await put("other.key", served.key);
  await put("billing.json", JSON.stringify(credential));
  await put("wrong.json", JSON.stringify({ ...credential, key_file: "other.key" }));
  await put("missing.json", JSON.stringify({ ...credential, key_file: "none.key" }));
  const elsewhere = url.replace("localhost", "api.example.test");
  await put("elsewhere.json", JSON.stringify(credential).replaceAll(url, elsewhere));
  await put("half.json", JSON.stringify({ ...credential, key_file: undefined }));
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await desk.remove();
});

test("a token is got, and the resource asked, on connections that show the certificate", async () => {
  const env = { NODE_EXTRA_CA_CERTS: join(desk.folder, "ca.pem") };
  const { code, stderr } = await desk.run(["time", "--credential", "billing.json"], { env });
  expect([code, stderr]).toEqual([0, ""]);
  const form = "grant_type=client_credentials";
  expect(seen).toEqual([
    expect.stringMatching(new RegExp(`^/oauth2/token .*${form}.*client_id=billing.* billing$`)),
    "/time?zone=UTC  billing",
  ]);
});

test("through a proxy it is shown to the server too", async () => {
  const proxy = createPlainServer().on("connect", (req, socket) => {
    seen.push(`proxy ${req.url}`);
    const [, port = ""] = (req.url ?? "").split(":");
    const onwards = connect(Number(port), "localhost", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.pipe(onwards).pipe(socket);
    });
    onwards.on("error", () => socket.destroy());
    socket.on("error", () => onwards.destroy());
  });
  await once(proxy.listen(0, "127.0.0.1"), "listening");
  const HTTPS_PROXY = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  seen.length = 0;
  const env = { NODE_EXTRA_CA_CERTS: join(desk.folder, "ca.pem"), HTTPS_PROXY };
  // This machine itself is exempt, but for a name that is not known as its own.
  const asked = ["time", "--credential", "elsewhere.json"];
  const { code, stderr } = await desk.run(asked, { env });
  expect([code, stderr]).toEqual([0, ""]);
  expect(seen.filter((line) => line.endsWith(" billing"))).toHaveLength(2);
  expect(seen.some((line) => line.startsWith("proxy "))).toBe(true);
  proxy.closeAllConnections();
  proxy.close();
});

test.each([
  ["wrong.json", "The certificate or key of wrong.json cannot be used"],
  ["missing.json", "A file that missing.json names cannot be read (ENOENT)"],
  ["half.json", "half.json is not a credential: it has no salt"],
])("%s is no credential", async (file, message) => {
  const { code, stderr } = await desk.run(["time", "--credential", file]);
  expect([code, stderr]).toEqual([5, expect.stringContaining(message)]);
});
