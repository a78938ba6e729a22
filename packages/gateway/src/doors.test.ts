/**
 * The doors as real proxies ask at them, each with its configuration of deploy/gateway: what gets through,
 * what is refused and how, and that nothing a caller sends changes what is checked.
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { ISSUER } from "@daykey/auth-server/test/auth-server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  EXT_HEADER,
  HOST,
  type Service,
  startGateway,
  startService,
  type TestGateway,
} from "../test/gateway.ts";
import { CONNECTIONS, HOSTILE } from "../test/hostile-requests.ts";
import { type Answer, request, send } from "../test/wire.ts";
import { type Around, PROXIES, type Proxy, proxyProgram, startProxy } from "../test/proxies.ts";

let gateway: TestGateway;
let service: Service;
let token: string;
beforeAll(async () => {
  [gateway, service] = await Promise.all([startGateway(), startService()]);
  token = await gateway.token();
});
afterAll(() => Promise.all([gateway.stop(), service.stop()]));

/** What all of them say to a caller who is not there yet. */
const CHALLENGE = (scope: string): string =>
  `Bearer realm="https://${HOST}", scope="${scope}", resource_metadata="https://${HOST}/.well-known/oauth-protected-resource"`;

/** What the service may have got: the request itself, where the rule is good for this token. */
const HARMLESS = /^GET \/open$|^GET \/time$/;

for (const name of PROXIES) {
  describe.skipIf(proxyProgram(name) === undefined)(`behind ${name}`, () => {
    let proxy: Proxy;
    beforeAll(async () => {
      proxy = await startProxy(name, around());
    });
    afterAll(() => proxy.stop());

    const ask = (line: string, headers: readonly string[] = [], body = ""): Promise<Answer> =>
      send(proxy.port, request(line, headers, body));
    const bearer = (): string => `Authorization: Bearer ${token}`;

    test("a token with the scope gets through, and the service learns whose it is and no more", async () => {
      service.seen.length = 0;
      const { status } = await ask("GET /time?x=%2F..&y=1", [
        bearer(),
        ...["Client", "Scope", "Grant", "Subject", "Actor", "Workload", "Ext"].map(
          (part) => `X-Daykey-${part}: root`,
        ),
      ]);
      expect(status).toBe(200);
      const [seen] = service.seen;
      expect(seen).toMatchObject({
        method: "GET",
        url: "/time?x=%2F..&y=1",
        headers: {
          host: HOST,
          "x-daykey-client": gateway.client.clientId,
          "x-daykey-scope": "time:read primes:check",
          "x-daykey-grant": expect.stringMatching(/^[\da-f-]{36}$/),
          "x-daykey-subject": gateway.client.clientId,
          "x-daykey-ext": EXT_HEADER,
        },
      });
      expect(seen?.headers["x-daykey-workload"] ?? "").toBe("");
      expect(seen?.headers["x-daykey-actor"] ?? "").toBe("");
      expect(seen?.headers).not.toHaveProperty("authorization");
    });

    test("content goes to the service, and not to the gateway", async () => {
      service.seen.length = 0;
      const { status } = await ask("POST /time", [bearer(), "Content-Length: 5"], "hello");
      expect([status, service.seen[0]?.body]).toEqual([200, "hello"]);
    });

    test("an open path needs nothing, and a caller's X-Daykey headers are no one's", async () => {
      service.seen.length = 0;
      const spoofed = ["Client", "Scope", "Grant", "Subject", "Actor", "Workload", "Ext"].map(
        (part) => `X-Daykey-${part}: root`,
      );
      const twice = [...spoofed, ...spoofed.map((header) => header.toUpperCase())];
      expect((await ask("GET /open", twice)).status).toBe(200);
      const { headers } = service.seen[0] ?? { headers: {} };
      const told = Object.entries(headers).filter(([key]) => key.startsWith("x-daykey"));
      expect(told.filter(([, value]) => value !== "")).toEqual([]);
    });

    test("401 with its challenge, once, and the problem", async () => {
      const { status, headers, body } = await ask("GET /time");
      expect(status).toBe(401);
      expect(headers.get("www-authenticate")).toEqual([CHALLENGE("time:read")]);
      expect(headers.get("content-type")).toEqual(["application/problem+json"]);
      expect(JSON.parse(body)).toEqual({
        type: "about:blank",
        title: "A credential is required",
        status: 401,
      });
    });

    test.each([
      ["GET /admin/x", 403, "insufficient-scope"],
      ["GET /mine", 403, "other-client"],
      ["GET /nothing", 403, "not-open"],
      ["GET /files/secret/x", 403, "not-open"],
      ["DELETE /time", 403, "not-open"],
      ["GET /files/a%2fb", 400, "ambiguous-request"],
    ])("%s is %i %s", async (line, expected, problem) => {
      service.seen.length = 0;
      const { status, body } = await ask(line, [bearer()]);
      const type = `urn:daykey:problem:${problem}`;
      expect([status, JSON.parse(body)]).toMatchObject([expected, { type, status: expected }]);
      expect(service.seen).toEqual([]);
    });

    test("429 carries Retry-After and what is left", async () => {
      const client = await gateway.auth.createClient();
      const headers = [`Authorization: Bearer ${await gateway.token(client)}`];
      const statuses = [];
      for (let count = 0; count < 2; count++) {
        statuses.push((await ask("GET /limited", headers)).status);
      }
      const refused = await ask("GET /limited", headers);
      expect([...statuses, refused.status]).toEqual([200, 200, 429]);
      expect(Number(refused.headers.get("retry-after")?.[0])).toBeGreaterThan(0);
      expect(refused.headers.get("ratelimit")).toEqual([
        expect.stringMatching(/^"limited day";r=0;t=\d+$/),
      ]);
      expect(refused.headers.get("ratelimit-policy")).toEqual(['"limited day";q=2;w=86400']);
      expect(JSON.parse(refused.body)).toMatchObject({ type: "urn:daykey:problem:quota-exceeded" });
    });

    test("a credential twice, in the URL, or of another kind is refused", async () => {
      service.seen.length = 0;
      const statuses = [
        (await ask("GET /time", [bearer(), bearer()])).status,
        (await ask("GET /time", [bearer(), "X-Api-Key: dkk_x"])).status,
        (await ask(`GET /time?access_token=${token}`)).status,
        (await ask("GET /time", [`Authorization: Bearer ${token}x`])).status,
        (await ask("GET /time", [`authorization: basic eDp4`])).status,
      ];
      expect(statuses.filter((status) => status !== 400 && status !== 401)).toEqual([]);
      expect(service.seen).toEqual([]);
    });

    test.each(HOSTILE)("%s changes nothing of what is checked", async (_, line, headers = []) => {
      service.seen.length = 0;
      const { status } = await ask(line, [bearer(), ...headers]);
      const got = service.seen.map(({ method, url }) => `${method} ${url}`);
      expect(got.filter((one) => !HARMLESS.test(one))).toEqual([]);
      // What got through is what was asked for; everything else has a refusal.
      const asked = got.length === 0 && status >= 400 ? [] : [line];
      expect(got).toEqual(asked);
    });

    test.each([
      "X-HTTP-Method-Override",
      "X-HTTP-Method",
      "X-Method-Override",
      "X-Original-URL",
      "X-Rewrite-URL",
    ])("%s is refused with 400, also where the path is open", async (header) => {
      service.seen.length = 0;
      expect((await ask("GET /open", [`${header}: x`])).status).toBe(400);
      expect(service.seen).toEqual([]);
    });

    // nginx and newer Caddys drop such headers; before the others the gateway refuses.
    test.each([
      "X_Daykey_Client",
      "X-Daykey_Scope",
      "x_daykey-grant",
      "X.Daykey.Subject",
      "X-Daykey~Client",
      "X_HTTP_Method_Override",
      "X.Original.URL",
    ])("%s, which a service may take for another header, does not reach it", async (header) => {
      service.seen.length = 0;
      const { status } = await ask("GET /open", [`${header}: root`]);
      const got = service.seen.flatMap(({ headers }) => Object.values(headers));
      expect([[200, 400].includes(status), got.includes("root")]).toEqual([true, false]);
    });

    test("RFC 9728: the address that the challenge names has the resource's metadata", async () => {
      service.seen.length = 0;
      const challenge = (await ask("GET /time")).headers.get("www-authenticate")?.[0] ?? "";
      const [, url = ""] = /resource_metadata="([^"]+)"/.exec(challenge) ?? [];
      const { host, pathname } = new URL(url);
      const { status, body } = await ask(`GET ${pathname}`, [`Host: ${host}`]);
      expect([status, JSON.parse(body)]).toEqual([
        200,
        {
          resource: `https://${HOST}`,
          authorization_servers: [ISSUER],
          scopes_supported: ["admin", "primes:check", "time:read"],
          bearer_methods_supported: ["header"],
          dpop_signing_alg_values_supported: ["ES256", "Ed25519", "EdDSA"],
          dpop_bound_access_tokens_required: false,
        },
      ]);
      // What only begins so is checked as everything else, or is the gateway's to refuse.
      for (const tail of ["/x", "/../../admin", "/..%2f..%2fadmin", "x"]) {
        const { status: other } = await ask(`GET ${pathname}${tail}`, [bearer()]);
        expect([tail, other >= 400 && other < 500]).toEqual([tail, true]);
      }
      expect(service.seen).toEqual([]);
    });

    test.each(CONNECTIONS)(
      "a Connection that %s takes away nothing of who calls",
      async (_, connection) => {
        service.seen.length = 0;
        const lines = ["GET /time HTTP/1.1", `Host: ${HOST}`, bearer(), ...connection];
        const socket = connect(proxy.port, "127.0.0.1");
        socket.on("error", () => {}).write(`${lines.join("\r\n")}\r\n\r\n`);
        await once(socket, "data");
        socket.destroy();
        for (const { headers } of service.seen) {
          expect(headers).toMatchObject({
            "x-daykey-client": gateway.client.clientId,
            "x-daykey-scope": "time:read primes:check",
            "x-daykey-subject": gateway.client.clientId,
          });
          expect(headers).not.toHaveProperty("authorization");
        }
      },
    );

    test("headers that are as large as the proxy takes do not stop the check", async () => {
      const large = ["A", "B", "C"].map((letter) => `X-${letter}: ${"a".repeat(7000)}`);
      // 431 is a proxy's own, which takes less than the gateway.
      expect([200, 431]).toContain((await ask("GET /time", [bearer(), ...large])).status);
    });

    test("nothing is let through when the gateway does not answer", async () => {
      const dead = await startProxy(name, { ...around(), gateway: 1, grpc: 1 });
      try {
        service.seen.length = 0;
        const answer = await send(dead.port, request("GET /time", [bearer()]));
        const open = await send(dead.port, request("GET /open"));
        expect([answer.status, open.status].filter((status) => status < 500)).toEqual([]);
        expect(service.seen).toEqual([]);
      } finally {
        await dead.stop();
      }
    });
  });
}

test.skipIf(proxyProgram("nginx") === undefined)(
  "nginx's own 403 is 403, and not an outage of the gateway",
  async () => {
    const change = (text: string): string => text.replace("location / {", "location / { deny all;");
    const nginx = await startProxy("nginx", around(), change);
    try {
      const { status, body } = await send(nginx.port, request("GET /open"));
      expect([status, JSON.parse(body)]).toMatchObject([403, { status: 403 }]);
    } finally {
      await nginx.stop();
    }
  },
);

test.skipIf(proxyProgram("nginx") === undefined)(
  "nginx without a gateway says so in a problem, and when to come again",
  async () => {
    const nginx = await startProxy("nginx", { ...around(), gateway: 1 });
    try {
      const { status, headers, body } = await send(nginx.port, request("GET /open"));
      expect([status, headers.get("retry-after")]).toEqual([503, ["1"]]);
      expect(JSON.parse(body)).toMatchObject({ status: 503 });
    } finally {
      await nginx.stop();
    }
  },
);

test.skipIf(proxyProgram("nginx") === undefined)(
  "nginx, as the guide has it: what a caller says of its way here does not reach the service",
  async () => {
    const guide = readFileSync(new URL("../../../docs/how-to/gateway.md", import.meta.url), "utf8");
    const location = /^```nginx\n(.*?)^```/ms.exec(guide)?.[1] ?? "";
    const change = (text: string): string =>
      text.replace(/location \/ \{.*?\}/s, location.replace(":9000", `:${service.port}`));
    const nginx = await startProxy("nginx", around(), change);
    try {
      service.seen.length = 0;
      const names = ["For", "Host", "Proto", "Port", "Prefix"].map((part) => `X-Forwarded-${part}`);
      const said = [...names, "X-Real-IP", "Forwarded", "X-Daykey-Client"].map((n) => `${n}: evil`);
      expect((await send(nginx.port, request("GET /open", said))).status).toBe(200);
      const { headers } = service.seen[0] ?? { headers: {} };
      expect(Object.values(headers)).not.toContain("evil");
      expect(headers).toMatchObject({ "x-forwarded-for": "127.0.0.1", "x-forwarded-host": HOST });
    } finally {
      await nginx.stop();
    }
  },
);

function around(): Around {
  return { gateway: gateway.publicPort, grpc: gateway.grpcPort ?? 0, service: service.port };
}
