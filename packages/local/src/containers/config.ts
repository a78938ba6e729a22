/** The settings of what docker-compose.yml starts with, and where each of its secrets stands. */
import { join } from "node:path";
import {
  ConfigError,
  describeSettings,
  integer,
  readSettings,
  text,
  url,
} from "@daykey/service/process/config";

/** Names that lead to this machine's own ports and nowhere else. */
const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/;

const port = (of: string) =>
  integer({
    optional: true,
    min: 1,
    max: 65535,
    description: `Port that the proxy publishes for the ${of}`,
  });

const DEFINITIONS = {
  ISSUER: url({ description: "The auth-server's public address" }),
  RESOURCE: url({ description: "The resource-server's public address" }),
  AUTH_PORT: port("auth-server"),
  RESOURCE_PORT: port("resource-server"),
  SECRETS: text({
    default: "/run/daykey",
    description: "Folder of the secrets; each folder in it is a volume of who reads it",
  }),
};

export interface ContainersConfig {
  issuer: string;
  resource: string;
  files: SecretFiles;
}

/** Paths. */
export interface SecretFiles {
  postgresPassword: string;
  superuserUrl: string;
  ownerUrl: string;
  masterKey: string;
  databaseUrl: string;
  resourceServer: string;
  resourceDatabaseUrl: string;
  admin: string;
  demo: string;
  /** Key and certificate, as HAProxy reads them. */
  tls: string;
  /** The certificate alone, for clients. */
  certificate: string;
  grafanaPassword: string;
}

/** @throws {ConfigError} with every fault */
export function readConfig(env: Record<string, string | undefined>): ContainersConfig {
  const { ISSUER, RESOURCE, SECRETS, AUTH_PORT, RESOURCE_PORT } = readSettings(DEFINITIONS, env);
  const faults = [
    unpublished("ISSUER", ISSUER, AUTH_PORT, RESOURCE_PORT),
    unpublished("RESOURCE", RESOURCE, RESOURCE_PORT, AUTH_PORT),
  ].filter((fault) => fault !== undefined);
  if (faults.length > 0) throw new ConfigError(faults);
  const at = (path: string): string => join(SECRETS, path);
  return {
    issuer: ISSUER,
    resource: RESOURCE,
    files: {
      postgresPassword: at("postgres/password"),
      superuserUrl: at("migrate/superuser-url"),
      ownerUrl: at("migrate/owner-url"),
      masterKey: at("auth-server/master-key"),
      databaseUrl: at("auth-server/database-url"),
      resourceServer: at("resource-server/credential.json"),
      resourceDatabaseUrl: at("resource-server/database-url"),
      admin: at("operator/admin.json"),
      demo: at("operator/demo.json"),
      tls: at("tls/server.pem"),
      certificate: at("tls/certificate.pem"),
      grafanaPassword: at("grafana/password"),
    },
  };
}

/**
 * An address of this machine at a port that the proxy does not publish answers nobody: everything would
 * be healthy, and every request misdirected. A name elsewhere may lead here by any port.
 */
function unpublished(
  name: string,
  address: string,
  ...ports: readonly [own: number | undefined, other: number | undefined]
): string | undefined {
  const { hostname, port: at } = new URL(address);
  const [own, other] = ports;
  if (own === undefined || other === undefined || !LOOPBACK.test(hostname)) return undefined;
  if (ports.includes(Number(at || "443"))) return undefined;
  return `${name} is ${address}, and the proxy publishes ${own} and ${other}; set DAYKEY_${name}=https://${hostname}:${own}`;
}

export function describeConfig(): string {
  return describeSettings(DEFINITIONS);
}
