import { createHash } from "node:crypto";
import type { DigestPrimitives } from "@daykey/common/content-digest";

const digest = (name: string) => (data: Uint8Array) => createHash(name).update(data).digest();

/** What `Content-Digest` is made of, by Node. */
export const DIGESTS: DigestPrimitives = { sha256: digest("sha256"), sha512: digest("sha512") };
