/** Reads `WWW-Authenticate` (RFC 9110 §11.6.1): which challenges, with which parameters. */

export interface Challenge {
  /** In lower case. */
  scheme: string;
  /** By lower-case name. Empty for a challenge with a token68. */
  parameters: ReadonlyMap<string, string>;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const SCHEME = new RegExp(`(${TOKEN})(?: +|(?=[ \\t]*(?:,|$)))`, "y");
const PARAMETER = new RegExp(
  `(${TOKEN})[ \\t]*=[ \\t]*(?:(${TOKEN})|"((?:[^"\\\\]|\\\\.)*)")(?=[ \\t]*(?:,|$))`,
  "y",
);
const TOKEN68 = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y;
const COMMAS = /[ \t]*(?:,[ \t]*)*/y;

/** All challenges, or none when the value breaks the grammar anywhere or names a parameter twice. */
export function parseChallenges(value: string): Challenge[] {
  const challenges: Challenge[] = [];
  let parameters: Map<string, string> | undefined;
  let offset = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = offset;
    const match = pattern.exec(value);
    offset += match?.[0].length ?? 0;
    return match;
  };

  take(COMMAS);
  while (offset < value.length) {
    // A parameter is tried first: `error="…"` after a comma belongs to the challenge before it.
    let parameter = parameters ? take(PARAMETER) : null;
    if (!parameter) {
      const scheme = take(SCHEME)?.[1]?.toLowerCase();
      if (scheme === undefined) return [];
      parameters = new Map();
      challenges.push({ scheme, parameters });
      parameter = take(PARAMETER);
      if (!parameter && take(TOKEN68)) parameters = undefined;
    }
    if (parameter && parameters) {
      const [, name = "", token, quoted = ""] = parameter;
      if (parameters.has(name.toLowerCase())) return [];
      parameters.set(name.toLowerCase(), token ?? quoted.replaceAll(/\\(.)/g, "$1"));
    }
    const separator = take(COMMAS)?.[0] ?? "";
    if (offset < value.length && !separator.includes(",")) return [];
  }
  return challenges;
}
