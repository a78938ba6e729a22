/**
 * Fetching a client's `jwks_uri`, which is somebody else's word about where to connect (RFC 8725
 * §3.10, OWASP's SSRF): https alone, never to an address that is not public, to the very address that
 * was checked, without redirects, for 3 s and 64 KiB at most.
 */
import { once } from "node:events";
import { Resolver } from "node:dns/promises";
import { type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP, type LookupFunction, type Socket } from "node:net";
import { readWithin } from "@daykey/common/read-within";
import { withDeadline } from "@daykey/common/deadline";
import { PlainError } from "@daykey/common/own-message";
import { isLoopbackAddress, isPublicAddress } from "./public-address.ts";

/** The addresses of a host name, at least one. */
export type ResolveHost = (hostname: string, signal: AbortSignal) => Promise<readonly string[]>;

/** The members of a key set. @throws {Error} for whatever is not one, or may not be fetched */
export type FetchKeySet = (uri: string) => Promise<readonly unknown[]>;

/** A JSON object. @throws {Error} for whatever is not one, or may not be fetched */
export type FetchDocument = (uri: string) => Promise<Readonly<Record<string, unknown>>>;

const TIMEOUT_SECONDS = 3;
const MAX_BYTES = 64 * 1024;
const MAX_LENGTH = 2048;

/** Whether a client may be registered with this `jwks_uri`; where its host leads is checked at each fetch. */
export function isJwksUri(text: string, { allowPrivate }: { allowPrivate: boolean }): boolean {
  const url = URL.parse(text);
  if (!url || text.length > MAX_LENGTH || /[\s\\\p{Cc}]/u.test(text)) return false;
  if (url.username !== "" || url.password !== "" || text.includes("#")) return false;
  const host = hostOf(url);
  if (url.protocol === "http:") return allowPrivate && isLoopbackHost(host);
  return url.protocol === "https:" && (allowPrivate || isIP(host) === 0 || isPublicAddress(host));
}

export function createKeySetFetch(options: GuardedFetchOptions): FetchKeySet {
  const fetchDocument = createDocumentFetch(options);
  return async (uri) => keysIn(await fetchDocument(uri));
}

/** The members of a key set (RFC 7517 §5). @throws {Error} where it has none */
export function keysIn({ keys }: Readonly<Record<string, unknown>>): readonly unknown[] {
  if (!Array.isArray(keys)) throw new PlainError("the key set has no keys");
  return keys;
}

export interface GuardedFetchOptions {
  /** Also addresses that are not public, and http to loopback: for development and closed networks. */
  allowPrivate: boolean;
  resolveHost?: ResolveHost;
  /** Certificate authority (PEM) in place of the known ones. */
  ca?: string;
}

/** Fetches what somebody else's word leads to, by the rules at the head of this file. */
export function createDocumentFetch({
  allowPrivate,
  resolveHost = resolveByDns,
  ca,
}: GuardedFetchOptions): FetchDocument {
  async function addressesOf(host: string, signal: AbortSignal): Promise<readonly string[]> {
    const addresses = isIP(host) === 0 ? await resolveHost(host, signal) : [host];
    if (addresses.length === 0) throw new PlainError("the host has no address");
    // One that is not public makes the whole host suspect.
    if (!allowPrivate && !addresses.every(isPublicAddress)) {
      throw new PlainError("the host has an address that is not public");
    }
    return addresses;
  }

  async function fetchDocument(uri: string, signal: AbortSignal) {
    if (!isJwksUri(uri, { allowPrivate })) throw new PlainError("the address may not be fetched");
    const url = new URL(uri);
    const addresses = await addressesOf(hostOf(url), signal);
    if (url.protocol === "http:" && !addresses.every(isLoopbackAddress)) {
      throw new PlainError("http is for loopback alone");
    }
    const send = url.protocol === "https:" ? requestHttps : requestHttp;
    const request = send(url, {
      agent: false,
      headers: { accept: "application/jwk-set+json, application/json" },
      lookup: pinnedTo(addresses),
      signal,
      ...(ca !== undefined && { ca }),
    });
    try {
      request.end();
      return readObject(await readBody(await responseTo(request)));
    } finally {
      // Whatever it still says, or however it ends.
      request.on("error", () => undefined).destroy();
    }
  }

  return (uri) =>
    withDeadline((signal) => fetchDocument(uri, signal), { seconds: TIMEOUT_SECONDS });
}

/** A connection that changes protocols (101) is given up at once: it would tell nothing any more. */
async function responseTo(request: ClientRequest): Promise<IncomingMessage> {
  const upgraded = once(request, "upgrade").then(([, socket]) => {
    (socket as Socket).destroy();
    throw new PlainError("the key set was answered with another protocol");
  });
  const answered = once(request, "response") as Promise<[IncomingMessage]>;
  const [response] = await Promise.race([answered, upgraded]);
  return response;
}

/** A host name without the brackets of an IPv6 address. */
function hostOf({ hostname }: URL): string {
  return hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
}

function isLoopbackHost(host: string): boolean {
  return isLoopbackAddress(host) || isLocalhost(host);
}

/** RFC 6761 §6.3. */
function isLocalhost(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost");
}

/** Answers with what was checked, so that a name that now resolves to another address is of no use. */
function pinnedTo(addresses: readonly string[]): LookupFunction {
  const answers = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_hostname, { all }, callback) => {
    const [first] = answers;
    if (all === true) callback(null, answers);
    else callback(null, first?.address ?? "", first?.family);
  };
}

/** Asks name servers itself: a slow one must not hold the thread pool that others' work needs. */
async function resolveByDns(hostname: string, signal: AbortSignal): Promise<readonly string[]> {
  if (isLocalhost(hostname)) return ["127.0.0.1", "::1"];
  const resolver = new Resolver({ timeout: 1000, tries: 2 });
  signal.addEventListener("abort", () => resolver.cancel(), { once: true });
  const answers = await Promise.allSettled([
    resolver.resolve4(hostname),
    resolver.resolve6(hostname),
  ]);
  return answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
}

async function readBody(response: IncomingMessage): Promise<string> {
  // A redirect is another address, which nobody checked.
  if (response.statusCode !== 200) {
    throw new PlainError(`the key set was answered with ${response.statusCode}, not 200`);
  }
  const bytes = await readWithin(response, MAX_BYTES);
  if (!bytes) throw new PlainError("the key set is too large");
  return Buffer.from(bytes.buffer).toString("utf8");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new PlainError("the key set is not JSON");
  }
}

function readObject(text: string): Readonly<Record<string, unknown>> {
  const read = parseJson(text);
  if (typeof read !== "object" || read === null || Array.isArray(read)) {
    throw new PlainError("the key set has no keys");
  }
  return read as Record<string, unknown>;
}
