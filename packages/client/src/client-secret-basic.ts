/** HTTP Basic (RFC 6749 §2.3.1): carries the generated secret itself. */
import { utf8 } from "@daykey/common/bytes";
import { type ClientCredential, obtain, requireClientId, type Sourced } from "./credential.ts";
import { kidOf } from "./secret-material.ts";

/** @throws {DaykeyError} `credential` */
export function clientSecretBasic({
  clientId,
  secret,
}: {
  clientId: string;
  secret: Sourced<string>;
}): ClientCredential {
  requireClientId(clientId);
  return {
    clientId,
    method: "client_secret_basic",
    isDated: false,
    async prove() {
      const value = await obtain(secret);
      await kidOf(value);
      const pair = `${formEncode(clientId)}:${formEncode(value)}`;
      return { authorization: `Basic ${btoa(String.fromCharCode(...utf8(pair)))}` };
    },
  };
}

/** RFC 6749 §2.3.1 encodes both with "application/x-www-form-urlencoded" before they are joined. */
function formEncode(text: string): string {
  return new URLSearchParams({ "": text }).toString().slice(1);
}
