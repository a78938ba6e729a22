/** The peers as processes: each beside this file in `peers/`, set up as its own documents show. */
import { freePorts } from "@daykey/service/test/free-ports";
import type { ServerCore } from "./cores.ts";
import { type AuthServer, RESOURCE } from "./daykey.ts";
import { type ServerProcess, startServer } from "./server-process.ts";

const CLIENT_SECRET = "a-secret-of-the-usual-length-for-a-client-0123456789";
export const OIDC_CLIENT = { CLIENT_ID: "client", CLIENT_SECRET } as const;

type Peer = "oidc-provider" | "express-oauth2-jwt-bearer" | "fastify-jwt";

async function startPeer({
  peer,
  name,
  ready,
  env,
  core,
}: {
  peer: Peer;
  name: string;
  /** The path of its first good answer. */
  ready: string;
  env: Record<string, string>;
  core: ServerCore;
}): Promise<ServerProcess> {
  const [port = 0] = await freePorts(1);
  return startServer({
    name,
    program: new URL(`../peers/${peer}.mjs`, import.meta.url),
    port,
    readyUrl: `http://127.0.0.1:${port}${ready}`,
    core,
    env: { PORT: String(port), ...env },
  });
}

export function startOidcProvider(core: ServerCore, databaseUrl?: string): Promise<ServerProcess> {
  return startPeer({
    peer: "oidc-provider",
    name: `node-oidc-provider, ${databaseUrl === undefined ? "in memory" : "PostgreSQL"}`,
    ready: "/.well-known/openid-configuration",
    env: { ...OIDC_CLIENT, ...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }) },
    core,
  });
}

export function startValidator(
  peer: Extract<Peer, "express-oauth2-jwt-bearer" | "fastify-jwt">,
  { issuer, algorithm }: AuthServer,
  core: ServerCore,
  env: Record<string, string> = {},
): Promise<ServerProcess> {
  return startPeer({
    peer,
    name: peer,
    ready: "/livez",
    env: { ISSUER: issuer, AUDIENCE: RESOURCE, ALGORITHM: algorithm, ...env },
    core,
  });
}
