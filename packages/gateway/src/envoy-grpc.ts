/**
 * Envoy's door over gRPC: `envoy.service.auth.v3.Authorization/Check`. What cannot be checked is denied in
 * the answer; a fault of ours is a fault of the call, which Envoy denies unless it is set to fail open.
 */
import { randomUUID } from "node:crypto";
import { type BlockList, isIP } from "node:net";
import { fileURLToPath } from "node:url";
import {
  loadPackageDefinition,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceClientConstructor,
  status as grpcStatus,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { FieldLines } from "@daykey/guard/request";
import { isTrusted } from "@daykey/service/http/address";
import type { Log } from "@daykey/service/observe/log";
import type { CheckProxied, Proxied, Verdict } from "./check.ts";

const PROTO = fileURLToPath(new URL("../protos/ext_authz.proto", import.meta.url));

interface HeaderValue {
  key: string;
  value: string;
  raw_value: Buffer;
}

interface HttpRequest {
  method: string;
  headers: Record<string, string>;
  header_map: { headers: HeaderValue[] } | null;
  path: string;
  host: string;
}

interface CheckRequest {
  attributes: {
    source: { address: { socket_address: { address: string } | null } | null } | null;
    request: { http: HttpRequest | null } | null;
  } | null;
}

interface HeaderOption {
  header: { key: string; value: string };
  append_action: "OVERWRITE_IF_EXISTS_OR_ADD";
}

interface CheckResponse {
  status: { code: grpcStatus };
  denied_response?: { status: { code: number }; headers: HeaderOption[]; body: string };
  ok_response?: {
    headers: HeaderOption[];
    headers_to_remove: string[];
    response_headers_to_add: HeaderOption[];
  };
}

/** The constructor of the service, for a server and for a client. */
export function authorizationService(): ServiceClientConstructor {
  const definition = loadSync(PROTO, { keepCase: true, enums: String, defaults: true });
  const loaded = loadPackageDefinition(definition) as unknown as {
    envoy: { service: { auth: { v3: { Authorization: ServiceClientConstructor } } } };
  };
  return loaded.envoy.service.auth.v3.Authorization;
}

export interface GrpcDoor {
  readonly port: number;
  /** Takes no more calls, and resolves when those in progress are answered, or after `drainSeconds`. */
  stop(drainSeconds: number): Promise<void>;
}

/** @throws {Error} when the port cannot be had */
export async function startGrpcDoor({
  host,
  port,
  check,
  trustedProxies,
  log,
  count,
}: {
  host: string;
  port: number;
  check: CheckProxied;
  trustedProxies: BlockList;
  log: Log;
  /** Told of each call. */
  count: (fields: Readonly<Record<string, unknown>>) => void;
}): Promise<GrpcDoor> {
  async function answer(
    call: ServerUnaryCall<CheckRequest, CheckResponse>,
  ): Promise<CheckResponse> {
    const startedAt = performance.now();
    const peer = addressOf(call.getPeer());
    const fields: Record<string, unknown> = { requestId: randomUUID(), door: "envoy-grpc" };
    let status = 500;
    try {
      if (!isTrusted(peer, trustedProxies)) {
        Object.assign(fields, { address: peer, reason: "untrusted_peer" });
        status = 403;
        return { status: { code: grpcStatus.PERMISSION_DENIED } };
      }
      const { attributes } = call.request;
      const http = attributes?.request?.http;
      if (!http) throw new TypeError("the request has no attributes of HTTP");
      const { method, host: named, path: target } = http;
      const address = attributes?.source?.address?.socket_address?.address ?? "unknown";
      Object.assign(fields, { address });
      const headers = headersOf(http);
      const verdict = await check({ method, host: named, target, ...headers, address, peer });
      Object.assign(fields, verdict.log);
      status = verdict.allowed ? 200 : verdict.status;
      return responseOf(verdict);
    } finally {
      const durationMs = Math.round((performance.now() - startedAt) * 100) / 100;
      log.info({ ...fields, status, durationMs }, "request");
      count({ ...fields, status });
    }
  }

  /** Never rejects. */
  const handle = async (
    call: ServerUnaryCall<CheckRequest, CheckResponse>,
    callback: sendUnaryData<CheckResponse>,
  ): Promise<void> => {
    try {
      callback(null, await answer(call));
    } catch (error) {
      log.error({ err: error }, "the request failed");
      callback({ code: grpcStatus.INTERNAL });
    }
  };
  const server = new Server({ "grpc.max_receive_message_length": 1024 * 1024 });
  server.addService(authorizationService().service, {
    Check: (
      call: ServerUnaryCall<CheckRequest, CheckResponse>,
      callback: sendUnaryData<CheckResponse>,
    ) => void handle(call, callback),
  });
  const bound = await new Promise<number>((resolve, reject) => {
    const address = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, given) => {
      if (error) reject(error);
      else resolve(given);
    });
  });
  return {
    port: bound,
    async stop(drainSeconds) {
      const timer = setTimeout(() => server.forceShutdown(), drainSeconds * 1000);
      await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      clearTimeout(timer);
    },
  };
}

function responseOf(verdict: Verdict): CheckResponse {
  const { headers } = verdict;
  if (!verdict.allowed) {
    const { status, body } = verdict;
    return {
      status: { code: grpcStatus.PERMISSION_DENIED },
      denied_response: {
        status: { code: status },
        headers: optionsOf(headers),
        body: JSON.stringify(body),
      },
    };
  }
  const identity = Object.entries(verdict.identity);
  return {
    status: { code: grpcStatus.OK },
    ok_response: {
      headers: optionsOf(Object.fromEntries(identity.filter(([, value]) => value !== ""))),
      headers_to_remove: identity.flatMap(([name, value]) =>
        value === "" ? [name.toLowerCase()] : [],
      ),
      response_headers_to_add: optionsOf(headers),
    },
  };
}

function optionsOf(headers: Readonly<Record<string, string>>): HeaderOption[] {
  return Object.entries(headers).map(([key, value]) => ({
    header: { key, value },
    append_action: "OVERWRITE_IF_EXISTS_OR_ADD",
  }));
}

/** Envoy joins the lines of a repeated header with a comma, or gives each. */
function headersOf({ headers, header_map: raw }: HttpRequest): Pick<Proxied, "lines" | "names"> {
  if (!raw) {
    const lines: FieldLines = (name) => {
      const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
      return value === undefined ? undefined : [value];
    };
    return { lines, names: Object.keys(headers).map((name) => name.toLowerCase()) };
  }
  const all = new Map<string, string[]>();
  for (const { key, value, raw_value: bytes } of raw.headers) {
    const name = key.toLowerCase();
    const line = bytes.length > 0 ? bytes.toString("latin1") : value;
    all.set(name, [...(all.get(name) ?? []), line]);
  }
  return { lines: (name) => all.get(name), names: [...all.keys()] };
}

/** `127.0.0.1:4711` or `[::1]:4711`; of a socket in the file system, nothing that is trusted. */
function addressOf(peer: string): string {
  const match = /^(?:\[([^\]]+)\]|([\d.]+)|([\da-f:.]+)):\d+$/i.exec(peer);
  return match?.[1] ?? match?.[2] ?? match?.[3] ?? "unknown";
}
