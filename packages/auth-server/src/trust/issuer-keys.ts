/**
 * The public keys of trusted issuers: from an uploaded set, or fetched by the guarded fetch and cached like
 * clients' own sets (`authentication/client-jwks.ts`), each issuer's alone.
 */
import type { Clock } from "@daykey/common/clock";
import { withDeadline } from "@daykey/common/deadline";
import type { Log } from "@daykey/service/observe/log";
import type { JwtAssertion } from "../authentication/client-assertion.ts";
import { createClientJwks, type FetchedKeys } from "../authentication/client-jwks.ts";
import { type FetchDocument, keysIn } from "../authentication/jwks-fetch.ts";
import { signerAmong } from "../authentication/signer-among.ts";
import type { ClientKey } from "../clients/client-key.ts";
import type { DirectoryEntry } from "./directory.ts";
import type { TrustedIssuer } from "./trusted-issuer.ts";
import { MAX_ISSUERS } from "./trust-store.ts";

/** Why an assertion is not its issuer's, as a reason for the log. */
export type SignatureFault = "unknown_key" | "wrong_credential" | "issuer_keys_unavailable";

export interface IssuerKeys {
  /** Undefined for an assertion that its issuer signed. Fetches keys where those here do not do. */
  faultOf(assertion: JwtAssertion, entry: DirectoryEntry): Promise<SignatureFault | undefined>;
}

/** All that leads to one set of keys together: two documents and a set at most. */
const FETCH_SECONDS = 5;
/** Bounds of a bundle's `spiffe_refresh_hint`. */
const MIN_FRESH_SECONDS = 30;
const MAX_FRESH_SECONDS = 3600;
/** An older bundle is taken when the newer one was seen so long ago: its server was set up anew. */
const SEQUENCE_SECONDS = 86_400;

export function createIssuerKeys({
  fetchDocument,
  clock,
  log,
}: {
  fetchDocument: FetchDocument;
  clock: Clock;
  log: Log;
}): IssuerKeys {
  const places = new Map<string, TrustedIssuer>();
  const sequences = new Map<string, { number: number; at: number }>();

  async function fetchKeys(place: string): Promise<readonly unknown[] | FetchedKeys> {
    const issuer = places.get(place);
    if (!issuer) throw new Error("the issuer is not trusted any more");
    return withDeadline(async () => keysOf(issuer), { seconds: FETCH_SECONDS });
  }

  async function keysOf(issuer: TrustedIssuer): Promise<readonly unknown[] | FetchedKeys> {
    const { keySource, keysUri = "" } = issuer;
    if (keySource === "discovery") return keysIn(await fetchDocument(await discover(issuer.iss)));
    const document = await fetchDocument(keysUri);
    return keySource === "spiffe" ? bundleOf(keysUri, document) : keysIn(document);
  }

  /** OpenID Connect Discovery §4, else RFC 8414 §3. Both say whose metadata it is, and it must be his. */
  async function discover(iss: string): Promise<string> {
    const url = new URL(iss);
    const path = url.pathname.replace(/\/$/, "");
    const documents = [
      `${url.origin}${path}/.well-known/openid-configuration`,
      `${url.origin}/.well-known/oauth-authorization-server${path}`,
    ];
    let fault: unknown;
    for (const document of documents) {
      try {
        const { issuer, jwks_uri: uri } = await fetchDocument(document);
        if (issuer !== iss) throw new Error("the metadata is another issuer's");
        if (typeof uri !== "string") throw new Error("the metadata names no jwks_uri");
        return uri;
      } catch (error) {
        fault ??= error;
      }
    }
    throw fault;
  }

  /** Its keys for JWT-SVIDs alone (SPIFFE Trust Domain and Bundle §4.2). */
  function bundleOf(uri: string, bundle: Readonly<Record<string, unknown>>): FetchedKeys {
    const { spiffe_sequence: number, spiffe_refresh_hint: hint } = bundle;
    const seen = sequences.get(uri);
    if (typeof number === "number") {
      const isOlder = seen !== undefined && number < seen.number;
      if (isOlder && clock() - seen.at < SEQUENCE_SECONDS) {
        throw new Error("the bundle is older than the one before");
      }
      sequences.set(uri, { number, at: clock() });
    }
    const members = keysIn(bundle).flatMap((key) => {
      const isForJwts =
        typeof key === "object" && key !== null && "use" in key && key.use === "jwt-svid";
      return isForJwts ? [{ ...key, use: "sig" }] : [];
    });
    const isHint = typeof hint === "number" && Number.isFinite(hint);
    const freshSeconds = isHint
      ? Math.min(Math.max(hint, MIN_FRESH_SECONDS), MAX_FRESH_SECONDS)
      : undefined;
    return { members, freshSeconds };
  }

  const jwks = createClientJwks({
    fetchKeySet: fetchKeys,
    // A changed issuer is another place, and the old one is forgotten sometime.
    capacity: 2 * MAX_ISSUERS,
    whose: "issuer",
    clock,
    log,
  });

  /** Where the keys are, as the name of a set: nobody else's set can have it. */
  function placeOf(issuer: TrustedIssuer): string {
    const place = `${issuer.keySource} ${issuer.keysUri ?? issuer.iss}`;
    if (places.size > 4 * MAX_ISSUERS) places.clear();
    places.set(place, issuer);
    return place;
  }

  return {
    async faultOf(assertion, { issuer, keys: uploaded }) {
      const { algorithm, kid } = assertion;
      const mayHaveSigned = (key: ClientKey): boolean =>
        key.algorithm === algorithm && (kid === undefined || key.kid === kid);
      const place = issuer.keySource === "jwks" ? undefined : placeOf(issuer);
      const keys =
        place === undefined
          ? uploaded.filter(mayHaveSigned)
          : await jwks.find(place, mayHaveSigned);
      if (signerAmong(keys, assertion)) return undefined;
      if (place !== undefined && jwks.isUnread(place)) return "issuer_keys_unavailable";
      // Without a kid, nothing but the signature tells that there is a new key.
      const newer =
        place === undefined || kid !== undefined ? [] : await jwks.findAgain(place, mayHaveSigned);
      if (newer.length > 0 && signerAmong(newer, assertion)) return undefined;
      return keys.length === 0 ? "unknown_key" : "wrong_credential";
    },
  };
}
