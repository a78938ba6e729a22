/** The upstreams file of `egress`: where requests may go, and by which credential their tokens are got. */
import { CLIENT_ID } from "@daykey/common/protocol";
import { isScopeToken } from "@daykey/common/scope";
import { z } from "zod";
import { readYaml } from "./yaml-file.ts";

const METHODS = [
  "client_secret_hash_once",
  "client_secret_hash_day",
  "client_secret_basic",
  "client_secret_post",
  "private_key_jwt",
] as const;

const UPSTREAM = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .describe("Where it is; a path in it comes before each request's"),
  credential: z.string().min(1).describe("A credential file, or for private_key_jwt a private JWK"),
  method: z.enum(METHODS).default("client_secret_hash_once"),
  issuer: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe("For private_key_jwt"),
  client_id: z
    .string()
    .regex(CLIENT_ID, "not a client id")
    .optional()
    .describe("For private_key_jwt"),
  resource: z
    .url()
    .optional()
    .describe(
      "What tokens are for; by default what the credential file says, or the client's first",
    ),
  scope: z
    .array(z.string().refine(isScopeToken, "not one scope"))
    .min(1)
    .optional()
    .describe("All that the client has by default"),
  timeout_seconds: z.int().min(1).max(600).default(30).describe("Until the answer begins"),
  allow_http: z
    .boolean()
    .default(false)
    .describe(
      "Send tokens and secrets by plain http to other machines: in a network that is trusted",
    ),
});

export const UPSTREAMS_FILE = z.strictObject({
  $schema: z.string().optional(),
  upstreams: z
    .record(z.string(), UPSTREAM)
    .describe("By name: a request to /<name>/… goes to the upstream's /…"),
});

export type UpstreamEntry = z.infer<typeof UPSTREAM>;

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** @throws {FileError} with every fault and its line */
export function readUpstreamsFile(
  text: string,
  { name }: { name: string },
): ReadonlyMap<string, UpstreamEntry> {
  return readYaml(text, {
    name,
    schema: UPSTREAMS_FILE,
    make({ upstreams }, fault) {
      for (const [upstream, entry] of Object.entries(upstreams)) {
        const path = ["upstreams", upstream];
        if (!NAME.test(upstream)) {
          fault({ path, message: `${upstream}: a name has lower-case letters, digits and dashes` });
        }
        const { protocol, hostname, search, hash, username } = new URL(entry.url);
        if (search !== "" || hash !== "" || username !== "") {
          fault({ path: [...path, "url"], message: "url: no query, fragment or credentials" });
        }
        if (protocol === "http:" && !LOOPBACK.test(hostname) && !entry.allow_http) {
          const message = "url: a token would travel in the clear; say https, or allow_http: true";
          fault({ path: [...path, "url"], message });
        }
        const isKey = entry.method === "private_key_jwt";
        const named = [entry.issuer, entry.client_id].filter((value) => value !== undefined);
        if (named.length !== (isKey ? 2 : 0)) {
          const message = "private_key_jwt has issuer and client_id, and no other method has them";
          fault({ path, message });
        }
      }
      return new Map(Object.entries(upstreams));
    },
  });
}
