/** This server's own client, as the auth-server wrote it into a file, and the file's next content. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Clock } from "@daykey/common/clock";
import { CLIENT_ID } from "@daykey/common/protocol";
import { checksumOf, isSalt, kidOfSecret, withoutChecksum } from "@daykey/common/secret-hash";
import type { CredentialSource, OwnCredential } from "@daykey/guard/tokens/own-client";
import type { Log } from "@daykey/service/observe/log";

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
  elapsed,
  log,
  onChange,
}: {
  path: string;
  /** What it held when the settings were read. */
  first: OwnCredential;
  issuer: string;
  /** Seconds of a clock that nobody sets. */
  elapsed: Clock;
  log: Log;
  onChange: (next: OwnCredential) => void;
}): CredentialSource {
  let current = first;
  let lookedAt = elapsed();
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
      log.warn({ event, path }, "RESOURCE_CREDENTIAL_FILE cannot be used; the one before stays");
      return;
    }
    if (found.clientSecret === current.clientSecret && found.clientId === current.clientId) return;
    current = found;
    onChange(found);
    const { clientId: client, clientSecret } = found;
    const event = "credential_changed";
    log.info({ event, client, kid: kidOfSecret(clientSecret) }, "uses another secret from now on");
  }

  return async ({ isRefused }) => {
    const pause = isRefused ? LOOK_REFUSED_SECONDS : LOOK_SECONDS;
    if (looking || elapsed() - lookedAt >= pause) {
      looking ??= look().finally(() => (looking = undefined));
      await looking;
    }
    return current;
  };
}
