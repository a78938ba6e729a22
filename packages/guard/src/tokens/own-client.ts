/** This server as a client of the auth-server: it proves itself by the one-time form (docs/protocol.md §1.4). */
import { requestByClientCredentials } from "@daykey/client/client-credentials";
import { oneTimeForm } from "@daykey/client/one-time-form";
import { platformWith } from "@daykey/client/platform";
import { createServerClock } from "@daykey/client/server-clock";
import { createTokenEndpoint } from "@daykey/client/token-endpoint";
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

export interface OwnClient {
  /**
   * Another token for the issuer, with which the feed is read, or usage reported.
   * @throws {DaykeyError}
   */
  token(scope: "revocations:read" | "introspect", signal: AbortSignal): Promise<OwnToken>;
  /** The parameters that authenticate one request. */
  proof(): Promise<Readonly<Record<string, string>>>;
}

const TIMEOUT_SECONDS = 5;

export function createOwnClient({
  authServerUrl,
  issuer,
  credential: { clientId, clientSecret, salt },
  clock,
}: {
  authServerUrl: string;
  issuer: string;
  credential: OwnCredential;
  clock: Clock;
}): OwnClient {
  const credential = oneTimeForm({ clientId, material: { secret: clientSecret, salt } });
  const serverClock = createServerClock(clock);
  const url = new URL(PATHS.token, authServerUrl);
  // The endpoint itself, not a token source: that hands out the token that is about to end, and its
  // pauses after failures would come on top of the feed's own.
  const endpoint = createTokenEndpoint({
    issuer,
    url: () => Promise.resolve(url),
    credential,
    serverClock,
    platform: platformWith({ clock }),
    timeoutSeconds: TIMEOUT_SECONDS,
  });

  return {
    async token(scope, signal) {
      // The issuer itself is the resource whose feed and reports these are.
      const wanted = { resource: issuer, scope: [scope] };
      const tokens = await requestByClientCredentials(endpoint, wanted, signal);
      return { value: tokens.accessToken, lifeSeconds: tokens.expiresInSeconds };
    },
    async proof() {
      const { form = {} } = await credential.prove({ issuer, now: serverClock.now() });
      return form;
    },
  };
}
