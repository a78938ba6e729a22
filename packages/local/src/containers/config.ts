/** The settings of what docker-compose.yml starts with, and where each of its secrets stands. */
import { join } from "node:path";
import { describeSettings, readSettings, text, url } from "@daykey/service/process/config";

const DEFINITIONS = {
  ISSUER: url({ description: "The auth-server's public address" }),
  RESOURCE: url({ description: "The resource-server's public address" }),
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
  const { ISSUER, RESOURCE, SECRETS } = readSettings(DEFINITIONS, env);
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

export function describeConfig(): string {
  return describeSettings(DEFINITIONS);
}
