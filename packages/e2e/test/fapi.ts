/** A token endpoint and a resource that end TLS, and clients as FAPI 2.0 wants them: key or certificate, bound tokens. */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request, type RequestOptions } from "node:https";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { assertionOf, createKeyClient, type TestKey } from "@daykey/auth-server/test/assertions";
import {
  API,
  ISSUER,
  startAuthServer,
  type TestAuthServer,
} from "@daykey/auth-server/test/auth-server";
import { createGuard } from "@daykey/guard/guard";
import { protect } from "@daykey/guard/node";
import {
  createAuthority,
  SERVER_AUTH,
  type TestAuthority,
  type TestCertificate,
} from "@daykey/service/test/certificates";
import {
  createProofKey,
  type ProofOptions,
  type TestProofKey,
} from "@daykey/service/test/dpop-proofs";
import { createTestLog } from "@daykey/service/test/log";

const TOKEN_URI = `${ISSUER}/oauth2/token`;
export const RESOURCE_URI = `${API}/orders`;

/** As the suite's variants are called: how a client authenticates, and what its tokens are bound to. */
export interface Variant {
  auth: "private_key_jwt" | "mtls";
  binding: "dpop" | "mtls";
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Record<string, unknown>;
}

export interface FapiClient {
  clientId: string;
  certificate: TestCertificate;
  proofKey: TestProofKey;
  /** Signs assertions. */
  key: TestKey | undefined;
}

export interface TokenRequest {
  /** In place of the client's own; undefined leaves it out. */
  assertion?: string | undefined;
  clientId?: string;
  proof?: string | undefined;
  certificate?: TestCertificate | undefined;
}

export interface Bench {
  server: TestAuthServer;
  port: number;
  metadata(): Promise<Answer>;
  client(variant: Variant, algorithm?: "ES256" | "PS256"): Promise<FapiClient>;
  /** All that the variant needs, but for what `changes` has otherwise. */
  token(variant: Variant, client: FapiClient, changes?: TokenRequest): Promise<Answer>;
  assertion(client: FapiClient, changes?: Parameters<typeof assertionOf>[3]): string;
  tokenProof(client: FapiClient, changes?: Partial<ProofOptions>): string;
  resource(options: {
    headers: Record<string, string | string[]>;
    certificate?: TestCertificate | undefined;
  }): Promise<Answer>;
  resourceProof(client: FapiClient, token: string, changes?: Partial<ProofOptions>): string;
  stop(): Promise<void>;
}

export async function startFapiBench(): Promise<Bench> {
  const authority = await createAuthority();
  const names = [{ type: "ip", value: "127.0.0.1" } as const];
  const served = await authority.issue({ usages: [SERVER_AUTH], names });
  const folder = mkdtempSync(join(tmpdir(), "daykey-fapi-"));
  const [certificateFile, keyFile, clientCaFile] = ["tls.pem", "tls.key", "clients.pem"].map(
    (name) => join(folder, name),
  ) as [string, string, string];
  writeFileSync(certificateFile, served.chain);
  writeFileSync(keyFile, served.key);
  writeFileSync(clientCaFile, authority.cert);
  const config = { clientCertificates: "tls", clientCaFile } as const;
  // The guard, and what registers clients, ask the first one by plain HTTP.
  const plain = await startAuthServer({ config });
  const tls = { certificateFile, keyFile, asksClients: true };
  const server = await startAuthServer({ config: { ...config, tls }, database: plain.database });
  const { log } = createTestLog();
  const guard = createGuard({ issuer: ISSUER, resource: API, authServerUrl: plain.url, log });
  await guard.ready();
  const resource = createServer(
    { cert: served.chain, key: served.key, requestCert: true, rejectUnauthorized: false },
    (req, res) => void answer(req, res),
  ).listen(0, "127.0.0.1");
  const answer = protect(guard, "time:read", (_req, res, { clientId }) => {
    res.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ clientId }));
  });
  await once(resource, "listening");
  const port = Number(new URL(server.url).port);
  const resourcePort = (resource.address() as AddressInfo).port;

  async function call(
    options: RequestOptions,
    certificate: TestCertificate | undefined,
    form?: Record<string, string>,
  ): Promise<Answer> {
    const req = request({
      host: "127.0.0.1",
      ca: authority.cert,
      agent: false,
      ...(certificate && { cert: certificate.chain, key: certificate.key }),
      ...options,
    });
    req.end(form && new URLSearchParams(form).toString());
    const [res] = (await once(req, "response")) as [IncomingMessage];
    const body = (await json(res)) as Answer["body"];
    return { status: res.statusCode ?? 0, headers: res.headers, body };
  }

  const bench: Bench = {
    server,
    port,
    metadata: () => call({ port, path: "/.well-known/oauth-authorization-server" }, undefined),
    client: (variant, algorithm = "ES256") => createClient(server, authority, variant, algorithm),
    assertion: (client, changes) => {
      if (!client.key) throw new TypeError("this client has no key");
      return assertionOf(client.clientId, client.key, server.now(), changes);
    },
    tokenProof: ({ proofKey }, changes = {}) =>
      proofKey.proof({ uri: TOKEN_URI, at: server.now(), ...changes }),
    resourceProof: ({ proofKey }, accessToken, changes = {}) =>
      proofKey.proof({
        method: "GET",
        uri: RESOURCE_URI,
        accessToken,
        at: server.now(),
        ...changes,
      }),
    token(variant, client, changes = {}) {
      const wanted = {
        assertion: variant.auth === "private_key_jwt" ? bench.assertion(client) : undefined,
        clientId: variant.auth === "mtls" ? client.clientId : undefined,
        proof: variant.binding === "dpop" ? bench.tokenProof(client) : undefined,
        certificate:
          variant.auth === "mtls" || variant.binding === "mtls" ? client.certificate : undefined,
        ...changes,
      };
      const { assertion, clientId, proof, certificate } = wanted;
      const form = {
        grant_type: "client_credentials",
        ...(clientId !== undefined && { client_id: clientId }),
        ...(assertion !== undefined && {
          client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
          client_assertion: assertion,
        }),
      };
      const headers = {
        "content-type": "application/x-www-form-urlencoded",
        ...(proof !== undefined && { dpop: proof }),
      };
      return call({ port, method: "POST", path: "/oauth2/token", headers }, certificate, form);
    },
    resource: ({ headers, certificate }) =>
      call({ port: resourcePort, path: "/orders", headers }, certificate),
    async stop() {
      resource.closeAllConnections();
      resource.close();
      await guard.close();
      await server.stop();
      await plain.stop();
      rmSync(folder, { recursive: true });
    },
  };
  return bench;
}

async function createClient(
  server: TestAuthServer,
  authority: TestAuthority,
  { auth, binding }: Variant,
  algorithm: "ES256" | "PS256",
): Promise<FapiClient> {
  const registration = {
    grantTypes: ["client_credentials"],
    scopes: ["time:read"],
    resources: [API],
    dpop: binding === "dpop" ? "required" : "optional",
    certificateBound: binding === "mtls",
  } as const;
  const subject = `CN=${crypto.randomUUID()}`;
  const certificate = await authority.issue({ subject });
  const proofKey = createProofKey();
  if (auth === "private_key_jwt") {
    const { clientId, key } = await createKeyClient(server, { algorithm, ...registration });
    return { clientId, key, certificate, proofKey };
  }
  const { clientId } = await server.createClient({
    ...registration,
    authMethods: ["tls_client_auth"],
    tlsClientAuth: { name: "subject_dn", value: subject },
  });
  await server.look();
  return { clientId, key: undefined, certificate, proofKey };
}
