/** Authorities and certificates for tests, made anew: all of ECDSA P-256, valid around the machine's now. */
import type { webcrypto } from "node:crypto";

// What the library's own libraries look for in `Reflect`.
// oxlint-disable-next-line import/no-unassigned-import
import "reflect-metadata";
import * as x509 from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;

export interface TestCertificate {
  /** PEM; `chain` is it with its issuers but the root. */
  cert: string;
  chain: string;
  key: string;
  der: Buffer;
  /** `:…:`, as `Client-Cert` carries it (RFC 9440 §2.1). */
  field: string;
  /** The same for those between it and the root, as `Client-Cert-Chain` carries them. */
  chainField: string;
  /** What is in `cnf` of tokens that are bound to it (RFC 8705 §3.1). */
  thumbprint: string;
  keys: webcrypto.CryptoKeyPair;
}

export interface CertificateOptions {
  subject?: x509.X509CertificateCreateParamsName;
  /** What stands in the subject alternative name. */
  names?: ConstructorParameters<typeof x509.SubjectAlternativeNameExtension>[0];
  /** Days from now. */
  from?: number;
  until?: number;
  /** OIDs of the extended key usage; that of clients by default, none when empty. */
  usages?: readonly string[];
  /** Whether it may itself issue; with a length when that is a number. */
  authority?: boolean | number;
  /** Those of another certificate, to have the same key. */
  keys?: webcrypto.CryptoKeyPair;
  extensions?: x509.Extension[];
}

export interface TestAuthority extends TestCertificate {
  issue(options?: CertificateOptions): Promise<TestCertificate>;
  /** An authority under this one. */
  issueAuthority(options?: CertificateOptions): Promise<TestAuthority>;
}

const CLIENT_AUTH: string = x509.ExtendedKeyUsage.clientAuth;
export const SERVER_AUTH: string = x509.ExtendedKeyUsage.serverAuth;

/** An authority whose certificate it signed itself. */
export async function createAuthority(options: CertificateOptions = {}): Promise<TestAuthority> {
  const subject = options.subject ?? "CN=Test CA";
  const own = await issue({ authority: true, usages: [], ...options, subject }, undefined);
  return asAuthority(own, []);
}

/** A certificate that nobody vouches for. */
export async function selfSigned(options: CertificateOptions = {}): Promise<TestCertificate> {
  return issue(options, undefined);
}

function asAuthority(own: Issued, chain: readonly TestCertificate[]): TestAuthority {
  return {
    ...own,
    issue: (options = {}) => issue(options, own, chain),
    async issueAuthority(options = {}) {
      const below = await issue({ authority: true, usages: [], ...options }, own, chain);
      return asAuthority(below, [below, ...chain]);
    },
  };
}

type Issued = TestCertificate & { certificate: x509.X509Certificate };

async function issue(
  {
    subject = "CN=client.test",
    names,
    from = -1,
    until = 1,
    usages = [CLIENT_AUTH],
    authority = false,
    keys: given,
    extensions = [],
  }: CertificateOptions,
  issuer: Issued | undefined,
  chain: readonly TestCertificate[] = [],
): Promise<Issued> {
  const keys = given ?? (await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]));
  const isAuthority = authority !== false;
  const length = typeof authority === "number" ? authority : undefined;
  const certificate = await x509.X509CertificateGenerator.create({
    subject,
    issuer: issuer?.certificate.subjectName.toJSON() ?? subject,
    notBefore: new Date(Date.now() + from * DAY_MS),
    notAfter: new Date(Date.now() + until * DAY_MS),
    publicKey: keys.publicKey,
    signingKey: issuer?.keys.privateKey ?? keys.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      ...(isAuthority
        ? [
            new x509.BasicConstraintsExtension(true, length, true),
            new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
          ]
        : []),
      ...(usages.length > 0 ? [new x509.ExtendedKeyUsageExtension([...usages])] : []),
      ...(names ? [new x509.SubjectAlternativeNameExtension(names)] : []),
      ...extensions,
    ],
  });
  const der = Buffer.from(certificate.rawData);
  const cert = certificate.toString("pem");
  const privateKey = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  return {
    certificate,
    cert,
    chain: [cert, ...chain.map((link) => link.cert)].join("\n"),
    key: x509.PemConverter.encode(privateKey, "PRIVATE KEY"),
    der,
    field: fieldOf(der),
    chainField: chain.map((link) => link.field).join(", "),
    thumbprint: Buffer.from(await crypto.subtle.digest("SHA-256", der)).toString("base64url"),
    keys,
  };
}

function fieldOf(der: Uint8Array): string {
  return `:${Buffer.from(der).toString("base64")}:`;
}
