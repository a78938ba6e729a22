/** A resource server that knows two signature keys, and what its answers to signed requests must be. */
import { expect } from "vitest";
import {
  type Answer,
  refusalOf,
  startResourceServer,
  type TestResourceServer,
} from "./resource-server.ts";
import {
  createSignatureKey,
  invalidSignature,
  signedHeaders,
  type TestKey,
  type ToSign,
} from "./signature-key.ts";

export const hmac = createSignatureKey("hmac-sha256");
export const ed25519 = createSignatureKey("ed25519");

export type Unsigned = Partial<ToSign>;

export interface SignatureDesk {
  api: TestResourceServer;
  /** By id; a test may add some. */
  keys: Map<string, TestKey>;
  /** From now on the auth-server says this otherwise of each key. */
  describe(changes: Record<string, unknown>): void;
  /** A request that is signed as told, rightly unless told otherwise; `GET /time` by the HMAC key. */
  send(toSign?: Unsigned): Promise<Answer>;
  lastRequest(): Record<string, unknown>;
  /** It was refused with the one answer, the log knows why, and the next request is served. */
  expectRefused(answer: Answer, reason: string, hint?: string): Promise<void>;
}

export async function startSignatureDesk(): Promise<SignatureDesk> {
  const api = await startResourceServer();
  const keys = new Map([hmac, ed25519].map((key) => [key.id, key]));
  let changes: Record<string, unknown> = {};
  api.authServer.answerKeys((id) => keys.get(id)?.answer(changes));

  const send: SignatureDesk["send"] = async (toSign = {}) => {
    const { method = "GET", target = "/time", body } = toSign;
    const headers = await signedHeaders({ key: hmac, created: Math.floor(api.now()), ...toSign });
    return api.request(`${method} ${target}`, { headers, ...(body !== undefined && { body }) });
  };
  const lastRequest = (): Record<string, unknown> =>
    api.lines.findLast(({ msg }) => msg === "request") ?? {};
  return {
    api,
    keys,
    describe(changed) {
      changes = changed;
      // What was said of a key is forgotten.
      api.pass(6);
    },
    send,
    lastRequest,
    async expectRefused(answer, reason, hint) {
      expect(refusalOf(answer)).toEqual(invalidSignature(hint));
      const error = "invalid-signature";
      expect(lastRequest()).toMatchObject({ via: "http_signature", error, reason });
      expect((await send()).status).toBe(200);
    },
  };
}
