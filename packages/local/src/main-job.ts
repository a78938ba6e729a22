/**
 * The main job, once, over HTTP as any client does it: today's hash, a token, the time, a prime, the
 * refresh, the time again. Each step is shown; the first that fails is named.
 */
import type { CredentialFile } from "@daykey/auth-server/registration/credential-file";
import { hashPrimitives } from "@daykey/auth-server/clients/verifiers";
import { type Clock, formatDate } from "@daykey/common/clock";
import { dayFormHash } from "@daykey/common/secret-hash";
import { LocalError } from "./local-error.ts";

export const BIG_NUMBER = "172983479832623897492387592384682937659382477";

/** @throws {LocalError} naming the step that failed */
export async function doMainJob({
  client,
  clock,
  print,
}: {
  client: CredentialFile;
  clock: Clock;
  print: (line: string) => void;
}): Promise<void> {
  const { client_id, client_secret, salt, token_endpoint, resource } = client;
  let number = 0;

  async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
    number++;
    print(`\n${number}. ${title}`);
    try {
      return await work();
    } catch (cause) {
      const reason = cause instanceof LocalError ? cause.message : String(cause);
      throw new LocalError(`Step ${number} (${title}) failed: ${reason}`, { cause });
    }
  }

  async function token(form: Record<string, string>): Promise<Record<string, string>> {
    const body = new URLSearchParams({ client_id, client_secret_hash, ...form });
    const text = await answer(token_endpoint, { method: "POST", body });
    return JSON.parse(text) as Record<string, string>;
  }

  async function get(path: string, accessToken = ""): Promise<void> {
    const headers = { authorization: `Bearer ${accessToken}` };
    print(`   ${await answer(`${resource}${path}`, { headers })}`);
  }

  const client_secret_hash = await step(
    `Today's hash of ${client_id}'s secret, for ${formatDate(clock())} (UTC)`,
    () => dayFormHash(hashPrimitives, { root: client_secret, salt }, clock()),
  );
  print(`   ${client_secret_hash}`);

  const first = await step("POST /oauth2/token, grant_type=client_credentials", () =>
    token({ grant_type: "client_credentials" }),
  );
  print(indent(JSON.stringify(first, null, 2)));
  const claims = claimsOf(first["access_token"]);
  if (claims !== undefined) {
    print("   The access token's claims:");
    print(indent(JSON.stringify(claims, null, 2)));
  }

  await step("GET /time", () => get("/time", first["access_token"]));
  await step(`GET /primes/${BIG_NUMBER}`, () =>
    get(`/primes/${BIG_NUMBER}`, first["access_token"]),
  );

  const second = await step("POST /oauth2/token, grant_type=refresh_token", () =>
    token({ grant_type: "refresh_token", refresh_token: first["refresh_token"] ?? "" }),
  );
  print(indent(JSON.stringify(second, null, 2)));
  await step("GET /time, with the new token", () => get("/time", second["access_token"]));
}

async function answer(url: string, init: RequestInit): Promise<string> {
  const response = await fetch(url, init);
  const text = await response.text();
  if (response.status !== 200) throw new LocalError(`${url} answered ${response.status}: ${text}`);
  return text;
}

/** Undefined of an opaque token, which tells none. */
function claimsOf(token = ""): unknown {
  if (!token.startsWith("eyJ")) return undefined;
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, "   ");
}
