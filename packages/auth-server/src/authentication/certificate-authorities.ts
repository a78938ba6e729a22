/**
 * Whether a certificate of a client leads to a configured authority (RFC 5280 §6), by its signatures, times
 * and purposes. Each certificate is tried at one place only, so no chain costs more than its length.
 *
 * Not checked: revocation (an operator disables the client, or registers another name), and constraints of
 * names: an authority that has some is refused, as they would bind nobody here.
 */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { X509Certificate } from "node:crypto";
import type { Log } from "@daykey/service/observe/log";
import { TlsFilesError } from "@daykey/service/process/tls";
import { type Certificate, readCertificate } from "./certificate.ts";

/** The times between which all of a path is valid, in epoch seconds; or why there is no path, for the log. */
export type Verdict = { from: number; until: number } | string;

export interface CertificateAuthorities {
  /** Another one for each content of the file: a verdict is good for its own. */
  readonly generation: number;
  /** @param chain what came with it, in any order */
  judge(leaf: Certificate, chain: readonly Certificate[]): Verdict;
  close(): void;
}

const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const ANY_PURPOSE = "2.5.29.37.0";
/** Authorities above a certificate. */
const MAX_DEPTH = 5;
const LOOK_SECONDS = 5;

/** ECDSA and RSA (both paddings) with SHA-2, and Ed25519. The parameters of PSS are for OpenSSL to judge. */
const SIGNATURES = new Set([
  "1.2.840.10045.4.3.2",
  "1.2.840.10045.4.3.3",
  "1.2.840.10045.4.3.4",
  "1.2.840.113549.1.1.10",
  "1.2.840.113549.1.1.11",
  "1.2.840.113549.1.1.12",
  "1.2.840.113549.1.1.13",
  "1.3.101.112",
]);
const CURVES = ["prime256v1", "secp384r1", "secp521r1"];
const MIN_RSA_BITS = 2048;
/** The sender of a chain chooses its keys, and a signature by a greater one takes long to check. */
const MAX_RSA_BITS = 8192;

/**
 * Reads CLIENT_CA_FILE, and again when it changes.
 * @throws {TlsFilesError} for a file that cannot be used at the start; later it is logged, and what was read
 *   before holds
 */
export function openCertificateAuthorities(
  file: string,
  { log, lookSeconds = LOOK_SECONDS }: { log: Log; lookSeconds?: number },
): CertificateAuthorities {
  let text = readOr(() => readFileSync(file, "utf8"));
  let authorities = readAuthorities(text);
  let generation = 0;
  let fault: string | undefined;

  async function look(): Promise<void> {
    try {
      const now = await readFile(file, "utf8").catch((error: unknown) => {
        throw unreadable(error);
      });
      if (now !== text) {
        authorities = readAuthorities(now);
        text = now;
        generation++;
        log.info({ event: "client_ca_read", count: authorities.length }, "authorities of clients");
      }
      fault = undefined;
    } catch (error) {
      const { message } = error as Error;
      if (message === fault) return;
      fault = message;
      log.error({ event: "client_ca_unusable", err: error }, "the authorities before hold on");
    }
  }
  const looking = setInterval(() => void look(), lookSeconds * 1000).unref();

  return {
    get generation() {
      return generation;
    },
    close: () => clearInterval(looking),
    judge: (leaf, chain) => judge(leaf, chain, authorities),
  };
}

function judge(
  leaf: Certificate,
  chain: readonly Certificate[],
  authorities: readonly Certificate[],
): Verdict {
  if (leaf.x509.ca) return "certificate_of_an_authority";
  if (!leaf.maySign || !isFor(leaf, [CLIENT_AUTH])) return "certificate_wrong_purpose";
  if (isWeak(leaf)) return "certificate_weak";
  if (!leaf.isUnderstood) return "certificate_not_understood";
  const left = new Set(chain);
  let { notBefore: from, notAfter: until } = leaf;
  let current = leaf;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const below = current;
    const root = authorities.find((authority) => hasIssued(authority, below));
    const issuer = root ?? [...left].find((other) => hasIssued(other, below));
    if (!issuer) return "certificate_unknown_authority";
    left.delete(issuer);
    const isFit =
      issuer.x509.ca && issuer.pathLength >= depth && isFor(issuer, [CLIENT_AUTH, ANY_PURPOSE]);
    if (!isFit) return "certificate_wrong_authority";
    if (!issuer.isUnderstood) return "certificate_not_understood";
    if (root ? isWeakKey(root) : isWeak(issuer)) return "certificate_weak";
    from = Math.max(from, issuer.notBefore);
    until = Math.min(until, issuer.notAfter);
    if (root) return { from, until };
    current = issuer;
  }
  return "certificate_unknown_authority";
}

/** By name, key identifier and key usage, and then by the signature. */
function hasIssued(issuer: Certificate, { x509 }: Certificate): boolean {
  const { publicKey } = issuer.x509;
  const bits = publicKey.asymmetricKeyDetails?.modulusLength ?? 0;
  return x509.checkIssued(issuer.x509) && bits <= MAX_RSA_BITS && x509.verify(publicKey);
}

/** RFC 5280 §4.2.1.12: one that names no purpose is for all. Node calls them its key usage. */
function isFor({ x509 }: Certificate, purposes: readonly string[]): boolean {
  const named = x509.keyUsage as readonly string[] | undefined;
  return named === undefined || named.some((purpose) => purposes.includes(purpose));
}

function isWeak(certificate: Certificate): boolean {
  return !SIGNATURES.has(certificate.x509.signatureAlgorithmOid ?? "") || isWeakKey(certificate);
}

function isWeakKey({ x509: { publicKey } }: Certificate): boolean {
  const { modulusLength = 0, namedCurve = "" } = publicKey.asymmetricKeyDetails ?? {};
  switch (publicKey.asymmetricKeyType) {
    case "rsa":
    case "rsa-pss":
      return modulusLength < MIN_RSA_BITS;
    case "ec":
      return !CURVES.includes(namedCurve);
    default:
      return publicKey.asymmetricKeyType !== "ed25519";
  }
}

const PEM = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** @throws {TlsFilesError} */
function readAuthorities(text: string): Certificate[] {
  const blocks = text.match(PEM) ?? [];
  if (blocks.length === 0) throw new TlsFilesError("CLIENT_CA_FILE holds no certificate in PEM.");
  return blocks.map((block, i) => {
    const which = `Certificate ${i + 1} of CLIENT_CA_FILE`;
    let der;
    try {
      der = new X509Certificate(block).raw;
    } catch {
      throw new TlsFilesError(`${which} cannot be read.`);
    }
    const certificate = readCertificate(der);
    if (!certificate) throw new TlsFilesError(`${which} cannot be read.`);
    if (!certificate.x509.ca) throw new TlsFilesError(`${which} is of no authority.`);
    return certificate;
  });
}

function readOr(from: () => string): string {
  try {
    return from();
  } catch (error) {
    throw unreadable(error);
  }
}

function unreadable(error: unknown): TlsFilesError {
  const code = (error as NodeJS.ErrnoException).code ?? "unknown";
  return new TlsFilesError(`CLIENT_CA_FILE names a file that cannot be read (${code}).`);
}
