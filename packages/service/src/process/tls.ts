/**
 * TLS that a server ends itself: certificate and key from files, judged at the start, and read again when
 * they change. Connections that stand keep what they began with. TLS 1.2 at least, and HTTP/1.1 alone.
 */
import { constants, createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { SecureContextOptions, Server, TlsOptions } from "node:tls";

import { type Clock, formatInstant } from "@daykey/common/clock";
import { OWN_MESSAGE } from "@daykey/common/own-message";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";

export interface TlsSettings {
  /** PEM: the server's certificate, and after it those between it and the root. */
  certificateFile: string;
  /** PEM: the private key, without a passphrase. */
  keyFile: string;
  /** Whether clients are asked for a certificate. None must bring one, and nobody judges it here. */
  asksClients: boolean;
}

export interface ServerTls {
  /** For `https.createServer`. */
  readonly options: TlsOptions;
  /** Gives the server what stands in the files, whenever that has changed, until it closes. */
  keep(server: Server): void;
}

/** The files cannot be used; the message names the setting and what is wrong, and quotes nothing. */
export class TlsFilesError extends Error {
  readonly [OWN_MESSAGE] = true;
  override readonly name = "TlsFilesError";
}

interface Identity {
  cert: string;
  key: string;
  /** Epoch seconds. */
  notBefore: number;
  notAfter: number;
}

const LOOK_SECONDS = 5;

/** No renegotiation changes a client's certificate within a connection. */
const OPTIONS = constants.SSL_OP_NO_RENEGOTIATION;
/** What BCP 195 (RFC 9325 §4.2) recommends for TLS 1.2, and all of TLS 1.3. */
const CIPHERS = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
].join(":");
/** A resumed session brings the certificate without its chain: whoever is asked for one proves it each time. */
const NO_RESUMPTION = constants.SSL_OP_NO_TICKET;

/**
 * Undefined without settings.
 * @throws {TlsFilesError} for files that cannot be used; one that has expired is served, and logged
 */
export function openServerTls(
  settings: TlsSettings | undefined,
  {
    clock,
    log,
    metrics,
    lookSeconds = LOOK_SECONDS,
  }: { clock: Clock; log: Log; metrics: Metrics; lookSeconds?: number },
): ServerTls | undefined {
  if (!settings) return undefined;
  const { certificateFile, keyFile, asksClients } = settings;
  let identity = judge(
    read(() => readFileSync(certificateFile, "utf8"), "TLS_CERTIFICATE_FILE"),
    read(() => readFileSync(keyFile, "utf8"), "TLS_KEY_FILE"),
  );
  /** What was found wrong with the files last; undefined while they are in use. */
  let fault: string | undefined;
  let validity = "";
  tellValidity();
  metrics.gauge({
    name: "tls_certificate_expires_at_seconds",
    help: "When the certificate of this server's own TLS expires, in epoch seconds",
    read: () => identity.notAfter,
  });
  metrics.gauge({
    name: "tls_files_current",
    help: "0 while TLS_CERTIFICATE_FILE and TLS_KEY_FILE cannot be used and what was read before serves on",
    read: () => Number(fault === undefined),
  });

  function contextOf({ cert, key }: Identity): SecureContextOptions {
    const secureOptions = OPTIONS | (asksClients ? NO_RESUMPTION : 0);
    return { cert, key, minVersion: "TLSv1.2", ciphers: CIPHERS, secureOptions };
  }

  /** Once, when it becomes so: the certificate serves on all the same, and clients refuse it. */
  function tellValidity(): void {
    const now = clock();
    const { notBefore, notAfter } = identity;
    const is = notAfter <= now ? "expired" : notBefore > now ? "not_yet_valid" : "valid";
    if (is === validity) return;
    validity = is;
    const until = formatInstant(notAfter);
    if (is === "valid") return log.info({ event: "tls_certificate", until }, "serving TLS");
    log.error(
      { event: `tls_certificate_${is}`, from: formatInstant(notBefore), until },
      "clients refuse the certificate of TLS_CERTIFICATE_FILE",
    );
  }

  async function look(server: Server): Promise<void> {
    tellValidity();
    try {
      const [cert, key] = await Promise.all([
        readFile(certificateFile, "utf8").catch((error: unknown) => {
          throw unreadable("TLS_CERTIFICATE_FILE", error);
        }),
        readFile(keyFile, "utf8").catch((error: unknown) => {
          throw unreadable("TLS_KEY_FILE", error);
        }),
      ]);
      if (cert !== identity.cert || key !== identity.key) {
        const next = judge(cert, key);
        server.setSecureContext(contextOf(next));
        identity = next;
        validity = "";
        tellValidity();
      }
      fault = undefined;
    } catch (error) {
      const { message } = error as Error;
      if (message === fault) return;
      fault = message;
      log.error({ event: "tls_files_unusable", err: error }, "the certificate before serves on");
    }
  }

  return {
    options: {
      ...contextOf(identity),
      ALPNProtocols: ["http/1.1"],
      requestCert: asksClients,
      rejectUnauthorized: false,
    },
    keep(server) {
      server.once("listening", () => {
        const looking = setInterval(() => void look(server), lookSeconds * 1000).unref();
        server.once("close", () => clearInterval(looking));
      });
    },
  };
}

function read(from: () => string, setting: string): string {
  try {
    return from();
  } catch (error) {
    throw unreadable(setting, error);
  }
}

function unreadable(setting: string, error: unknown): TlsFilesError {
  const code = (error as NodeJS.ErrnoException).code ?? "unknown";
  return new TlsFilesError(`${setting} names a file that cannot be read (${code}).`);
}

/** @throws {TlsFilesError} */
function judge(cert: string, key: string): Identity {
  let certificate;
  try {
    certificate = new X509Certificate(cert);
  } catch {
    throw new TlsFilesError("TLS_CERTIFICATE_FILE does not begin with a certificate in PEM.");
  }
  let privateKey;
  try {
    privateKey = createPrivateKey(key);
  } catch {
    throw new TlsFilesError("TLS_KEY_FILE holds no private key in PEM without a passphrase.");
  }
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new TlsFilesError(
      "The key of TLS_KEY_FILE does not fit the first certificate of TLS_CERTIFICATE_FILE.",
    );
  }
  return {
    cert,
    key,
    notBefore: certificate.validFromDate.getTime() / 1000,
    notAfter: certificate.validToDate.getTime() / 1000,
  };
}
