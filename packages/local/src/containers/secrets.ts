/**
 * The secrets of a first start in containers: made once, each in a file of its own, and never printed.
 * What is there stays, so a start that was killed half way is finished by the next.
 */
import { randomBytes, X509Certificate } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { generateMasterKey } from "@daykey/auth-server/keys/master-key";
import type { Clock } from "@daykey/common/clock";
import type { ContainersConfig } from "./config.ts";
import { selfSignedCertificate } from "./self-signed-certificate.ts";

/** Where docker-compose.yml has PostgreSQL. */
const DATABASE_HOST = "postgres:5432";

/** What browsers and Apple's systems take at most. */
const CERTIFICATE_DAYS = 825;
const RENEW_DAYS = 60;

/** Resolves with the paths of what was made. */
export async function makeSecrets({
  config: { issuer, resource, files },
  clock,
}: {
  config: ContainersConfig;
  clock: Clock;
}): Promise<string[]> {
  const made: string[] = [];

  /** The file's content, made where there is none. */
  async function keep(path: string, make: () => string, mode = 0o600): Promise<string> {
    const present = await readIfThere(path);
    if (present !== undefined) return present.trimEnd();
    const content = make();
    await writeWhole(path, `${content}\n`, mode);
    made.push(path);
    return content;
  }

  const password = await keep(files.postgresPassword, randomPassword);
  await keep(files.superuserUrl, () => databaseUrl("postgres", password, "postgres"));
  await keep(files.ownerUrl, () => databaseUrl("daykey_owner", randomPassword(), "daykey"));
  await keep(files.databaseUrl, () => databaseUrl("daykey_app", randomPassword(), "daykey"));
  await keep(files.resourceDatabaseUrl, () =>
    databaseUrl("daykey_resource", randomPassword(), "daykey"),
  );
  await keep(files.masterKey, generateMasterKey);
  // Grafana runs as a user of its own, which alone has this volume.
  await keep(files.grafanaPassword, randomPassword, 0o644);

  const names = [...new Set([issuer, resource].map((address) => new URL(address).hostname))];
  const now = clock();
  const present = (await readIfThere(files.certificate)) && (await readIfThere(files.tls));
  if (!isUsable(present, { names, now })) {
    const { key, certificate } = selfSignedCertificate({ names, now, days: CERTIFICATE_DAYS });
    await writeWhole(files.tls, `${key}${certificate}`, 0o600);
    await writeWhole(files.certificate, certificate, 0o644);
    made.push(files.tls, files.certificate);
  }
  return made;
}

function randomPassword(): string {
  return randomBytes(32).toString("base64url");
}

function databaseUrl(role: string, password: string, database: string): string {
  return `postgresql://${role}:${password}@${DATABASE_HOST}/${database}`;
}

/** For all the names, and for a while yet. */
function isUsable(
  pem: string | undefined,
  { names, now }: { names: readonly string[]; now: number },
): boolean {
  if (!pem) return false;
  const certificate = new X509Certificate(pem);
  const isFor = (name: string): boolean =>
    (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined;
  const leftDays = (Date.parse(certificate.validTo) / 1000 - now) / 86_400;
  return leftDays > RENEW_DAYS && names.every(isFor);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Whole or not at all, as a power cut would leave it too. */
async function writeWhole(path: string, content: string, mode: number): Promise<void> {
  const draft = `${path}.new`;
  await rm(draft, { force: true });
  await writeFile(draft, content, { mode, flag: "wx", flush: true });
  await rename(draft, path);
}
