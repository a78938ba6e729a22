/** This server's own client, as the auth-server wrote it into a file, and the file's next content. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Clock } from "@daykey/common/clock";
import { OWN_MESSAGE } from "@daykey/common/own-message";
import { CLIENT_ID } from "@daykey/common/protocol";
import { checksumOf, isSalt, kidOfSecret, withoutChecksum } from "@daykey/common/secret-hash";
import { CONSOLE_LOG, type GuardLog } from "./log.ts";
import type { CredentialSource, OwnCredential } from "./tokens/own-client.ts";

/** What is used of a credential file. */
export type IssuedCredential = OwnCredential & { issuer: string };

const LOOK_SECONDS = 60;
const LOOK_REFUSED_SECONDS = 1;

/** Undefined for what could never work: that is said at the start, not at the first token. */
export function parseCredential(content: string): IssuedCredential | undefined {
  let file: Partial<Record<string, unknown>>;
  try {
    file = Object(JSON.parse(content)) as typeof file;
  } catch {
    return undefined;
  }
  const { issuer, client_id: clientId, client_secret: clientSecret, salt } = file;
  if (typeof issuer !== "string" || typeof clientId !== "string" || !CLIENT_ID.test(clientId)) {
    return undefined;
  }
  if (typeof clientSecret !== "string" || !isWhole(clientSecret)) return undefined;
  if (typeof salt !== "string" || !isSalt(salt)) return undefined;
  return { issuer, clientId, clientSecret, salt };
}

/** @throws {TypeError} for what is no credential file, or another issuer's */
export function readOwnCredential(content: string, issuer: string): OwnCredential {
  const found = parseCredential(content);
  if (!found) throw new TypeError("The credential is not the content of a credential file.");
  if (found.issuer !== issuer) throw new TypeError("The credential is of another issuer.");
  return found;
}

/** Whether it is a generated secret that nothing was cut from or mistyped in. */
function isWhole(secret: string): boolean {
  if (kidOfSecret(secret) === undefined) return false;
  const digest = createHash("sha256").update(withoutChecksum(secret)).digest();
  return secret.endsWith(`_${checksumOf(digest)}`);
}

/**
 * The credential of a file that may change: whoever renews the secret replaces the file, and nothing is
 * restarted. It is read at most once a minute, and once a second while its secret is refused. A file
 * that cannot be used is logged, and the credential before it stays.
 */
export function watchCredentialFile({
  path,
  first,
  issuer,
  elapsed = () => performance.now() / 1000,
  log = CONSOLE_LOG,
  onChange = () => undefined,
}: {
  path: string;
  /** What it held when the settings were read; without it the file is read when it is needed. */
  first?: OwnCredential;
  issuer: string;
  /** Seconds of a clock that nobody sets. */
  elapsed?: Clock;
  log?: GuardLog;
  onChange?: (next: OwnCredential) => void;
}): CredentialSource {
  let current = first;
  let lookedAt = first ? elapsed() : -Infinity;
  let isFaulty = false;
  let looking: Promise<void> | undefined;

  async function look(): Promise<void> {
    const found = parseCredential(await readFile(path, "utf8").catch(() => ""));
    lookedAt = elapsed();
    const wasFaulty = isFaulty;
    isFaulty = found?.issuer !== issuer;
    if (!found || isFaulty) {
      if (wasFaulty) return;
      const event = "credential_unusable";
      log.warn({ event, path }, "the credential file cannot be used; the one before stays");
      return;
    }
    if (found.clientSecret === current?.clientSecret && found.clientId === current.clientId) return;
    const isFirst = current === undefined;
    current = found;
    if (isFirst) return;
    onChange(found);
    const { clientId: client, clientSecret } = found;
    const event = "credential_changed";
    log.info({ event, client, kid: kidOfSecret(clientSecret) }, "uses another secret from now on");
  }

  return async ({ isRefused }) => {
    const pause = isRefused || !current ? LOOK_REFUSED_SECONDS : LOOK_SECONDS;
    if (looking || elapsed() - lookedAt >= pause) {
      looking ??= look().finally(() => (looking = undefined));
      await looking;
    }
    if (!current) throw new CredentialMissing(`There is no usable credential in ${path}.`);
    return current;
  };
}

class CredentialMissing extends Error {
  readonly [OWN_MESSAGE] = true;
  override readonly name = "CredentialMissing";
}
