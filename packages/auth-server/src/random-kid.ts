import { randomInt } from "node:crypto";

/** Eight of `[a-z0-9]`: the kid of a secret (docs/protocol.md §1) or of a refresh-token key (§2). */
export function randomKid(): string {
  return Array.from({ length: 8 }, () => randomInt(36).toString(36)).join("");
}
