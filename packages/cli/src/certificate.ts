/** A client that proves itself by a certificate (RFC 8705): its credential file names it and its key. */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { CliError, EXIT } from "./exit.ts";
import type { Found } from "./find-credential.ts";
import { proxiesIn } from "./proxy.ts";

/**
 * From now on, each connection of this process shows the certificate of the credential, if it has one. Paths
 * are taken from the credential file's folder.
 * @throws {CliError} for files that cannot be used
 */
export async function showCertificate(
  { credential, file, place }: Found,
  { cwd, env }: { cwd: string; env: Readonly<Record<string, string | undefined>> },
): Promise<void> {
  const { certificate_file: certificateFile, key_file: keyFile } = credential;
  if (certificateFile === undefined || keyFile === undefined) return;
  const folder = file === undefined ? cwd : dirname(resolve(cwd, file));
  const [cert, key] = await Promise.all(
    [certificateFile, keyFile].map(async (path) => readFile(resolve(folder, path), "utf8")),
  ).catch((error: unknown) => {
    const { code = "unknown" } = error as NodeJS.ErrnoException;
    throw new CliError(EXIT.credential, `A file that ${place} names cannot be read (${code})`);
  });
  // Loaded here: most commands need none of it.
  const { createSecureContext } = await import("node:tls");
  try {
    createSecureContext({ cert, key });
  } catch {
    const hint = "Both are PEM; the key fits the certificate and has no passphrase.";
    throw new CliError(EXIT.credential, `The certificate or key of ${place} cannot be used`, {
      hint,
    });
  }
  // Node's fetch has no word for it, and asks the dispatcher that undici sets: in place of `useProxy`'s.
  const { Agent, EnvHttpProxyAgent, setGlobalDispatcher } = await import("undici");
  const connect = { cert, key };
  const said = proxiesIn(env);
  if (!said) return setGlobalDispatcher(new Agent({ connect }));
  const { proxies, noProxy } = said;
  const httpProxy = proxies.http_proxy ?? proxies.HTTP_PROXY ?? "";
  const httpsProxy = proxies.https_proxy ?? proxies.HTTPS_PROXY ?? httpProxy;
  const through = { httpProxy, httpsProxy, noProxy, requestTls: connect };
  setGlobalDispatcher(new EnvHttpProxyAgent({ ...through, connect }));
}
