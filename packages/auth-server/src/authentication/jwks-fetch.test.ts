/** Fetching from an address that somebody else wrote down: where it may lead, and how much it may say. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type KeyServer, startKeyServer } from "../../test/key-server.ts";
import { createKeySetFetch, isJwksUri } from "./jwks-fetch.ts";
import { isPublicAddress } from "./public-address.ts";

let keys: KeyServer;
beforeAll(async () => {
  keys = await startKeyServer();
});
beforeEach(() => void (keys.asked.length = 0));
afterAll(() => keys.stop());

const PRIVATE = [
  "0.0.0.0",
  "10.0.0.1",
  "100.64.0.1",
  "100.100.100.200",
  "127.0.0.1",
  "127.255.255.254",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.0.0.192",
  "192.168.1.1",
  "198.18.0.1",
  "224.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::ffff:127.0.0.1",
  "::ffff:8.8.8.8",
  "::ffff:a9fe:a9fe",
  "::127.0.0.1",
  "64:ff9b::7f00:1",
  "64:ff9b:1::1",
  "100::1",
  "2001::1",
  "2001:db8::1",
  "2002:7f00:1::",
  "fc00::1",
  "fd00:ec2::254",
  "fe80::1",
  "fec0::1",
  "ff02::1",
];
const PUBLIC = ["8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111"];

test("addresses that are public, and those that are not (RFC 6890)", () => {
  expect(PRIVATE.filter(isPublicAddress)).toEqual([]);
  expect(PUBLIC.filter(isPublicAddress)).toEqual(PUBLIC);
  for (const text of ["", "localhost", "8.8.8", "8.8.8.8 ", "fe80::1%eth0"]) {
    expect(isPublicAddress(text)).toBe(false);
  }
});

describe("which address a client may register", () => {
  const always = [
    "https://keys.example/jwks",
    "https://keys.example:8443/a?b=c",
    "https://8.8.8.8/",
  ];
  const never = [
    "http://keys.example/jwks",
    "http://8.8.8.8/",
    "https://user@keys.example/",
    "https://user:word@keys.example/",
    "https://keys.example/#a",
    "https://keys.example/#",
    "https://keys.example/ a",
    "https://keys.example\\@127.0.0.1/",
    "https:///",
    "file:///etc/passwd",
    "ftp://keys.example/",
    "data:application/json,{}",
    "keys.example",
    "",
    `https://keys.example/${"a".repeat(2048)}`,
  ];
  const bySetting = [
    "https://127.0.0.1/",
    "https://0x7f.1/",
    "https://2130706433/",
    "https://017700000001/",
    "https://[::1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://169.254.169.254/latest",
    "https://10.0.0.1/",
    "http://localhost:8080/jwks",
    "http://127.0.0.1/",
    "http://[::1]/",
  ];
  test.each([false, true])("private addresses allowed: %s", (allowPrivate) => {
    for (const uri of always) expect(isJwksUri(uri, { allowPrivate }), uri).toBe(true);
    for (const uri of never) expect(isJwksUri(uri, { allowPrivate }), uri).toBe(false);
    for (const uri of bySetting) expect(isJwksUri(uri, { allowPrivate }), uri).toBe(allowPrivate);
  });
});

describe("where a name leads", () => {
  test("one address that is not public, and nothing is connected to", async () => {
    const { port } = new URL(keys.uri);
    for (const address of PRIVATE) {
      for (const addresses of [[address], ["8.8.8.8", address], [address, "8.8.8.8"]]) {
        const fetchKeySet = createKeySetFetch({
          allowPrivate: false,
          resolveHost: async () => addresses,
        });
        await expect(fetchKeySet(`https://keys.example.test:${port}/`), address).rejects.toThrow(
          "the host has an address that is not public",
        );
      }
    }
    expect(keys.asked).toEqual([]);
  });

  test("http stays on loopback, even where private addresses are allowed", async () => {
    const resolveHost = async (): Promise<string[]> => ["127.0.0.1", "10.0.0.1"];
    const fetchKeySet = createKeySetFetch({ allowPrivate: true, resolveHost });
    await expect(fetchKeySet("http://sub.localhost/")).rejects.toThrow(
      "http is for loopback alone",
    );
    await expect(fetchKeySet("http://keys.example/")).rejects.toThrow("may not be fetched");
  });

  test("a name without an address", async () => {
    const fetchKeySet = createKeySetFetch({ allowPrivate: true, resolveHost: async () => [] });
    await expect(fetchKeySet("https://keys.example.test/")).rejects.toThrow("no address");
  });
});

describe("over TLS", () => {
  let folder: string;
  let certificate: string;
  let server: ReturnType<typeof createServer>;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "daykey-tls-"));
    const [key, cert] = [join(folder, "key"), join(folder, "cert")];
    const request = [
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-days",
      "2",
    ];
    const name = ["-subj", "/CN=keys", "-addext", "subjectAltName=DNS:keys.example.test"];
    const files = ["-keyout", key, "-out", cert];
    execFileSync("openssl", ["req", "-x509", ...request, ...name, ...files], { stdio: "ignore" });
    certificate = await readFile(cert, "utf8");
    const credentials = { key: await readFile(key), cert: certificate };
    server = createServer(credentials, (_request, response) => void response.end(`{"keys":[1]}`));
    await once(server.listen(0, "127.0.0.1"), "listening");
  });
  afterAll(async () => {
    server.closeAllConnections();
    await once(server.close(), "close");
    await rm(folder, { recursive: true });
  });

  const uriOf = (host: string): string =>
    `https://${host}:${(server.address() as AddressInfo).port}/`;

  test("it connects to the address that was checked, and asks once (DNS rebinding)", async () => {
    const asked: string[] = [];
    const fetchKeySet = createKeySetFetch({
      allowPrivate: true,
      ca: certificate,
      async resolveHost(hostname) {
        asked.push(hostname);
        return asked.length === 1 ? ["127.0.0.1"] : ["10.0.0.1"];
      },
    });
    expect(await fetchKeySet(uriOf("keys.example.test"))).toEqual([1]);
    expect(asked).toEqual(["keys.example.test"]);
  });

  test("the certificate must be the name's, and from a known authority", async () => {
    const resolveHost = async (): Promise<string[]> => ["127.0.0.1"];
    const trusting = createKeySetFetch({ allowPrivate: true, ca: certificate, resolveHost });
    await expect(trusting(uriOf("other.example.test"))).rejects.toThrow(/altnames/);
    const usual = createKeySetFetch({ allowPrivate: true, resolveHost });
    await expect(usual(uriOf("keys.example.test"))).rejects.toThrow(/self-signed/);
  });
});

describe("how much it may say", () => {
  const fetchKeySet = createKeySetFetch({ allowPrivate: true });

  test("a key set", async () => {
    keys.publish({ kty: "EC" }, null);
    expect(await fetchKeySet(`${keys.uri}?a=b`)).toEqual([{ kty: "EC" }, null]);
    expect(keys.asked).toEqual(["/keys?a=b"]);
  });

  test("no redirect is followed, nor anything but 200 taken", async () => {
    for (const status of [201, 204, 301, 302, 307, 308, 404, 500]) {
      keys.answer((_request, response) => {
        response.writeHead(status, { location: `${keys.uri}/elsewhere` });
        response.end(status === 204 ? undefined : `{"keys":[]}`);
      });
      await expect(fetchKeySet(keys.uri)).rejects.toThrow("not 200");
    }
    expect(keys.asked).toEqual(Array.from({ length: 8 }, () => "/keys"));
  });

  test("64 KiB and no more, said or not", async () => {
    const padding = (bytes: number): string => `{"keys":[]}${" ".repeat(bytes - 11)}`;
    keys.answer((_request, response) => void response.end(padding(65_536)));
    expect(await fetchKeySet(keys.uri)).toEqual([]);
    keys.answer((_request, response) => void response.end(padding(65_537)));
    await expect(fetchKeySet(keys.uri)).rejects.toThrow("too large");
    keys.answer((request, response) => {
      const timer = setInterval(() => response.write(" ".repeat(10_000)), 1);
      request.on("close", () => clearInterval(timer));
    });
    await expect(fetchKeySet(keys.uri)).rejects.toThrow("too large");
  });

  test("what is no key set", async () => {
    for (const text of [
      "",
      "{}",
      "[]",
      "null",
      "1",
      `{"keys":{}}`,
      `{"keys":null}`,
      "<html>",
      "[",
    ]) {
      keys.answer((_request, response) => void response.end(text));
      await expect(fetchKeySet(keys.uri), text).rejects.toThrow(/JSON|no keys/);
    }
  });

  test("3 s, for a server that says nothing and for one that never ends", async () => {
    const silent = fetchKeySetFrom(() => undefined);
    await expect(silent).rejects.toThrow(/in time/);
    const endless = fetchKeySetFrom((response) => void response.write(" "));
    await expect(endless).rejects.toThrow(/in time/);
  }, 15_000);

  async function fetchKeySetFrom(speak: (response: ServerResponse) => void): Promise<unknown> {
    keys.answer((_request, response) => speak(response));
    return fetchKeySet(keys.uri);
  }

  test("a connection that is cut, or cannot be made", async () => {
    keys.answer((request, response) => {
      response.writeHead(200, { "content-length": 100 });
      response.write("{");
      setImmediate(() => request.socket.destroy());
    });
    await expect(fetchKeySet(keys.uri)).rejects.toThrow("aborted");
    await expect(fetchKeySet("http://127.0.0.1:1/")).rejects.toThrow("ECONNREFUSED");
  });
});
