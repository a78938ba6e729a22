/**
 * Clients that prove themselves by a certificate (RFC 8705 §2): one of a configured authority that has the
 * registered name, or one that is registered itself. That its client holds the key was proved in a handshake.
 */
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { ClientCertificate } from "@daykey/common/client-certificate";
import type { AuthMethod } from "@daykey/common/protocol";
import type { ClientEntry } from "../clients/client-cache.ts";
import type { ClientKey } from "../clients/client-key.ts";
import { kidOfName } from "../clients/certificate-kid.ts";
import { type Certificate, readCertificate } from "./certificate.ts";
import type { CertificateAuthorities, Verdict } from "./certificate-authorities.ts";
import { comparableName } from "./certificate-name.ts";
import type { ClientJwks } from "./client-jwks.ts";

export interface CertificateProof {
  /** The registered certificate's, or what the registered name is called. */
  kid: string;
  method: AuthMethod;
}

export interface CertificateChecker {
  /** The proof, or why there is none: a reason for the log. Says nothing yet of the client's state. */
  check(
    certificate: ClientCertificate,
    entry: ClientEntry,
    now: number,
  ): Promise<CertificateProof | string>;
}

interface Judged {
  certificate: Certificate;
  verdict: Verdict;
}

const REMEMBERED = 1000;

/** @param authorities undefined where none is configured */
export function createCertificateChecker({
  authorities,
  jwks,
}: {
  authorities: Pick<CertificateAuthorities, "judge" | "generation"> | undefined;
  jwks: Pick<ClientJwks, "find">;
}): CertificateChecker {
  const known = new LRUCache<string, Judged>({ max: REMEMBERED });

  /** Whoever the client is, so that the time tells nothing of it. */
  function judge({ der, chain }: ClientCertificate): Judged | undefined {
    const hash = createHash("sha256").update(der);
    for (const link of chain) hash.update(`\n${link.length}\n`).update(link);
    const name = `${authorities?.generation ?? 0} ${hash.digest("base64url")}`;
    const before = known.get(name);
    if (before) return before;
    const certificate = readCertificate(der);
    if (!certificate) return undefined;
    const links = chain.map(readCertificate).filter((link) => link !== undefined);
    const verdict = authorities?.judge(certificate, links) ?? "certificate_unknown_authority";
    const judged = { certificate, verdict };
    known.set(name, judged);
    return judged;
  }

  /** The registered key that has this certificate, or the published one. */
  async function registered(
    { thumbprint }: Certificate,
    { client, keys, takenKids }: ClientEntry,
  ): Promise<ClientKey | undefined> {
    const isIt = (key: ClientKey): boolean => key.certificate === thumbprint;
    const own = keys.find(isIt);
    const isPublishing =
      client?.enabled === true && client.authMethods.includes("self_signed_tls_client_auth");
    if (own || !isPublishing || client.jwksUri === undefined) return own;
    const [published] = await jwks.find(
      client.jwksUri,
      (key) => isIt(key) && !takenKids.has(key.kid),
    );
    return published;
  }

  return {
    async check(presented, entry, now) {
      const judged = judge(presented);
      if (!judged) return "certificate_unreadable";
      const { certificate, verdict } = judged;
      const { notBefore, notAfter } = certificate;
      const late = timeFault({ from: notBefore, until: notAfter }, now);
      if (late !== undefined) return late;
      const key = await registered(certificate, entry);
      if (key) return { kid: key.kid, method: "self_signed_tls_client_auth" };
      const name = entry.client?.tlsClientAuth;
      const wanted = name && comparableName(name);
      if (!name || wanted === undefined || !certificate.names.has(wanted)) {
        return "certificate_of_another";
      }
      if (typeof verdict === "string") return verdict;
      return timeFault(verdict, now) ?? { kid: kidOfName(name), method: "tls_client_auth" };
    },
  };
}

function timeFault(
  { from, until }: { from: number; until: number },
  now: number,
): string | undefined {
  if (now < from) return "certificate_not_yet_valid";
  return now > until ? "certificate_expired" : undefined;
}
