/** Scopes at one resource as they are typed: `"https://api.example time:read primes:check"`. */
import { InvalidArgumentError } from "@commander-js/extra-typings";

export interface ScopesAt {
  resource: string;
  scopes: string[];
}

/** Collects the values of a repeated option. */
export function scopeAtOption(text: string, before: ScopesAt[] | boolean | undefined): ScopesAt[] {
  const [resource = "", ...scopes] = text.split(" ").filter((word) => word !== "");
  if (!URL.canParse(resource)) {
    throw new InvalidArgumentError('Write "https://api.example time:read primes:check".');
  }
  return [...(Array.isArray(before) ? before : []), { resource, scopes }];
}

export function scopesAtText(list: readonly ScopesAt[]): string {
  return list.map(({ resource, scopes }) => [resource, ...scopes].join(" ")).join(", ");
}
