/**
 * Access tokens that are bound to a key (RFC 9449 §5): the proof in a token request, and what is written
 * into the token. Refresh tokens stay unbound, as each client here proves itself when it uses one.
 */
import type { Confirmation } from "@daykey/common/access-token";
import type { Clock } from "@daykey/common/clock";
import {
  checkDpopProof,
  type DpopFault,
  type DpopNonces,
  type DpopPrimitives,
  type DpopProof,
} from "@daykey/common/dpop-proof";
import { OAuthError } from "@daykey/common/oauth-error";
import type { VerifiedClient } from "../clients/client.ts";
import type { WriteLimit } from "../clients/write-limits.ts";
import type { ReplayStore } from "../authentication/replay-store.ts";

export interface DpopRequest {
  /** The lines of the header `DPoP`; undefined without one. */
  lines: readonly string[] | undefined;
  method: string;
  path: string;
}

export interface DpopAtIssue {
  /**
   * The proof in a request, judged before anything else costs or is used up; undefined where there is none.
   * @throws {OAuthError} invalid_dpop_proof, or use_dpop_nonce with the nonce to use
   */
  read(request: DpopRequest): DpopProof | undefined;
  /** For the answer to whoever brings a proof: the newest nonce, so that a client need not be refused once a minute. */
  headers(): Readonly<Record<string, string>>;
  /**
   * What the client's token is bound to, undefined for nothing. Uses the proof up.
   * @throws {OAuthError} invalid_dpop_proof for one that is missing, comes again or is of another key than
   *   the client's; slow_down
   */
  confirm(client: VerifiedClient, proof: DpopProof | undefined): Promise<Confirmation | undefined>;
}

/** In a nonce's place for a kid: no secret has such a one. */
const OF_PROOF = "dpop";
/** A used proof is remembered this much longer than it lives, as clocks differ. */
const MARGIN_SECONDS = 300;

export function createDpopAtIssue({
  issuer,
  mtlsUrl,
  primitives,
  nonces,
  replays,
  limitNonces,
  clock,
}: {
  issuer: string;
  /** Where the same endpoint is too (RFC 8705 §5). */
  mtlsUrl: string | undefined;
  primitives: DpopPrimitives;
  /** Undefined where no nonce is asked for. */
  nonces: DpopNonces | undefined;
  replays: Pick<ReplayStore, "use">;
  limitNonces: WriteLimit;
  clock: Clock;
}): DpopAtIssue {
  return {
    read({ lines, method, path }) {
      if (lines === undefined) return undefined;
      const check = (at: string): DpopProof | DpopFault => {
        const proven = { method, uri: `${at}${path}`, now: clock(), nonceEnd: nonces?.endOf };
        return checkDpopProof(lines, proven, primitives);
      };
      const first = check(issuer);
      const proof = first === "dpop_uri" && mtlsUrl !== undefined ? check(mtlsUrl) : first;
      if (typeof proof === "string") throw refused(proof);
      return proof;
    },

    headers: () => (nonces ? { "DPoP-Nonce": nonces.current() } : {}),

    async confirm(client, proof) {
      if (client.dpop === "day-key") {
        const { dayKeyThumbprint: jkt } = client;
        // Its registration allows the one-time form alone; that of a client from before may not.
        if (jkt === undefined) throw refused("dpop_day_key");
        if (proof && proof.jkt !== jkt) throw refused("dpop_other_key");
        return { jkt };
      }
      if (!proof) {
        if (client.dpop === "required") throw refused("dpop_missing");
        return undefined;
      }
      const { jkt, jti, issuedAt, expiresAt } = proof;
      await limitNonces(client.clientId);
      const isFirst = await replays.use({
        clientId: client.clientId,
        kid: OF_PROOF,
        nonce: jti,
        issuedAt,
        expiresAt: expiresAt + MARGIN_SECONDS,
      });
      if (!isFirst) throw refused("dpop_replayed");
      return { jkt };
    },
  };
}

type Fault = DpopFault | "dpop_replayed" | "dpop_other_key" | "dpop_day_key";

const WORDS: Partial<Record<Fault, string>> = {
  dpop_missing: "This client's access tokens are bound to a key: send a DPoP proof.",
  dpop_time: "The DPoP proof is too old or dated ahead; see its iat, and the clock.",
  dpop_uri: "The htu of the DPoP proof is not the address of this endpoint.",
  dpop_replayed: "The DPoP proof was used before.",
  dpop_day_key:
    "This client's access tokens are bound to the key of the day: use the one-time form.",
};

function refused(detail: Fault): OAuthError {
  if (detail === "dpop_nonce") {
    const description = "The DPoP proof needs the nonce of the DPoP-Nonce header.";
    return new OAuthError("use_dpop_nonce", description, { detail });
  }
  return new OAuthError("invalid_dpop_proof", WORDS[detail] ?? "The DPoP proof is not valid.", {
    detail,
  });
}
