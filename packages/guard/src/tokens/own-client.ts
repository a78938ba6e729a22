/** This server as a client of the auth-server: it proves itself by the one-time form (docs/protocol.md §1.4). */
import { requestByClientCredentials } from "@daykey/client/internal/client-credentials";
import type { ClientCredential } from "@daykey/client/internal/credential";
import { DaykeyError } from "@daykey/client/internal/errors";
import { oneTimeForm } from "@daykey/client/internal/one-time-form";
import { platformWith } from "@daykey/client/internal/platform";
import { createServerClock } from "@daykey/client/internal/server-clock";
import { createTokenEndpoint, type TokenEndpoint } from "@daykey/client/internal/token-endpoint";
import type { Clock } from "@daykey/common/clock";
import { PATHS } from "@daykey/common/protocol";

/** What this server is registered with: a part of a credential file. */
export interface OwnCredential {
  clientId: string;
  clientSecret: string;
  salt: string;
}

export interface OwnToken {
  value: string;
  /** Since it was asked for. */
  lifeSeconds: number;
}

/**
 * The credential to use now: the same object for as long as it is the same.
 * @param options.isRefused the auth-server refused the one that was used, so it is time to look for another
 */
export type CredentialSource = (options: { isRefused: boolean }) => Promise<OwnCredential>;

/** What authenticates one request. */
export interface OwnProof {
  /** Its parameters. */
  form: Readonly<Record<string, string>>;
  /** After a refusal: one by another credential, if there is one by now. */
  another(): Promise<OwnProof | undefined>;
}

export interface OwnClient {
  /**
   * Another token for the issuer, with which the feed is read, or usage reported.
   * @throws {DaykeyError}
   */
  token(scope: "revocations:read" | "introspect", signal: AbortSignal): Promise<OwnToken>;
  proof(): Promise<OwnProof>;
}

const TIMEOUT_SECONDS = 5;

/** @param options.credential as it always is, or where it comes from */
export function createOwnClient({
  authServerUrl,
  issuer,
  credential,
  clock,
}: {
  authServerUrl: string;
  issuer: string;
  credential: OwnCredential | CredentialSource;
  clock: Clock;
}): OwnClient {
  const source = typeof credential === "function" ? credential : async () => credential;
  const serverClock = createServerClock(clock);
  let held: { from: OwnCredential; form: ClientCredential } | undefined;

  async function current(isRefused = false): Promise<ClientCredential> {
    const from = await source({ isRefused });
    if (held?.from !== from) held = { from, form: formOf(from) };
    return held.form;
  }

  function endpointOf(form: ClientCredential): TokenEndpoint {
    const url = new URL(PATHS.token, authServerUrl);
    // The endpoint itself, not a token source: that hands out the token that is about to end, and its
    // pauses after failures would come on top of the feed's own.
    return createTokenEndpoint({
      issuer,
      url: () => Promise.resolve(url),
      credential: form,
      serverClock,
      platform: platformWith({ clock }),
      timeoutSeconds: TIMEOUT_SECONDS,
    });
  }

  async function proofBy(used: ClientCredential): Promise<OwnProof> {
    const { form = {} } = await used.prove({ issuer, now: serverClock.now() });
    return {
      form,
      async another() {
        const next = await current(true);
        return next === used ? undefined : proofBy(next);
      },
    };
  }

  return {
    async token(scope, signal) {
      // The issuer itself is the resource whose feed and reports these are.
      const wanted = { resource: issuer, scope: [scope] };
      const ask = async (form: ClientCredential): Promise<OwnToken> => {
        const tokens = await requestByClientCredentials(endpointOf(form), wanted, signal);
        return { value: tokens.accessToken, lifeSeconds: tokens.expiresInSeconds };
      };
      const used = await current();
      try {
        return await ask(used);
      } catch (error) {
        if (!(error instanceof DaykeyError && error.oauthError === "invalid_client")) throw error;
        const next = await current(true);
        if (next === used) throw error;
        return ask(next);
      }
    },

    proof: async () => proofBy(await current()),
  };
}

function formOf({ clientId, clientSecret, salt }: OwnCredential): ClientCredential {
  return oneTimeForm({ clientId, material: { secret: clientSecret, salt } });
}
