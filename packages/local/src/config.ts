/** The settings of `npm start`: where its files are and which ports it takes. */
import { describeSettings, integer, readSettings, text } from "@daykey/service/process/config";

const port = (description: string, standard: number) =>
  integer({ default: standard, min: 1, max: 65535, description });

const DEFINITIONS = {
  DAYKEY_HOME: text({ default: ".daykey", description: "Folder of the database, keys and logs" }),
  AUTH_PORT: port("Of the auth-server", 4000),
  AUTH_PRIVATE_PORT: port("Of the auth-server's private listener", 4001),
  RESOURCE_PORT: port("Of the resource-server", 5000),
  RESOURCE_PRIVATE_PORT: port("Of the resource-server's private listener", 5001),
};

export const PORT_SETTINGS = [
  "AUTH_PORT",
  "AUTH_PRIVATE_PORT",
  "RESOURCE_PORT",
  "RESOURCE_PRIVATE_PORT",
] as const;

export type LocalConfig = ReturnType<typeof readConfig>;

/** @throws {ConfigError} with every fault */
export function readConfig(env: Record<string, string | undefined>) {
  const { DAYKEY_HOME, ...ports } = readSettings(DEFINITIONS, env);
  return {
    home: DAYKEY_HOME,
    ports,
    issuer: `http://localhost:${ports.AUTH_PORT}`,
    resource: `http://localhost:${ports.RESOURCE_PORT}`,
  };
}

export function describeConfig(): string {
  return describeSettings(DEFINITIONS);
}
