/** docs/reference/interop.md, from what was seen. */
import { CLIENT_CHECKS, type Outcome } from "./attempt.ts";
import type { Finding } from "./documents.ts";
import { reasonFor } from "./reasons.ts";
import type { Recipe } from "./recipes.ts";
import { TOKEN_ALGORITHMS } from "./world.ts";

export interface LanguageResult {
  language: string;
  /** What it ran on, such as `Python 3.11.7`; undefined: it is not installed, so nothing was tried. */
  runtime: string | undefined;
  outcomes: readonly Outcome[];
}

type Check = Outcome["check"];

/** What a library does in one respect, from all attempts at it. */
export interface Verdict {
  library: string;
  version: string;
  check: Check;
  kind: "unchanged" | "setting" | "no";
  setting?: string | undefined;
  /** The error of the unchanged library, where it did not work. */
  seen: string;
}

/** One verdict for each library and check. A way works where every attempt at it did. */
export function verdictsOf(outcomes: readonly Outcome[]): Verdict[] {
  const groups = Map.groupBy(outcomes, ({ library, check }) => `${library} ${check}`);
  return [...groups.values()].map((group) => {
    const [{ library, version, check }] = group as [Outcome, ...Outcome[]];
    const ways = Map.groupBy(group, ({ setting }) => setting);
    const unchanged = ways.get(undefined) ?? [];
    const seen = unchanged.find(({ worked }) => !worked)?.seen ?? "";
    const it = { library, version, check };
    if (unchanged.length > 0 && seen === "") return { ...it, kind: "unchanged", seen };
    for (const [setting, way] of ways) {
      if (setting !== undefined && way.every(({ worked }) => worked)) {
        return { ...it, kind: "setting", setting, seen };
      }
    }
    return { ...it, kind: "no", seen: seen || (group.find(({ worked }) => !worked)?.seen ?? "") };
  });
}

/** What did not work and is not known to be the library's own limit. */
export function surprises(verdicts: readonly Verdict[]): Verdict[] {
  return verdicts.filter((verdict) => verdict.kind === "no" && reasonFor(verdict) === undefined);
}

export function formatPage({
  date,
  results,
  services,
  documents,
  manifests,
  recipes,
}: {
  /** `YYYY-MM-DD`. */
  date: string;
  results: readonly LanguageResult[];
  services: readonly Finding[];
  documents: readonly Finding[];
  manifests: readonly Finding[];
  recipes: readonly Recipe[];
}): string {
  const clients = (verdicts: Verdict[]): Verdict[] =>
    verdicts.filter(({ check }) => (CLIENT_CHECKS as readonly string[]).includes(check));
  const validators = (verdicts: Verdict[]): Verdict[] =>
    verdicts.filter(({ check }) => (TOKEN_ALGORITHMS as readonly string[]).includes(check));
  const all = results.map((result) => ({ ...result, verdicts: verdictsOf(result.outcomes) }));
  const rows = (pick: typeof clients, checks: readonly Check[]): string[][] =>
    all.flatMap(({ language, verdicts }) => matrix(language, pick(verdicts), checks));
  return [
    "# Stock libraries",
    `\`npm run interop\` wrote this page on ${date}. It starts the embedded PostgreSQL, an auth-server for each signature algorithm and a resource-server, installs each library from its registry, and runs it. Nothing in a library is patched. The versions are those that ran.`,
    `Runtimes: ${all.map(({ language, runtime }) => runtime ?? `${language} is not installed here, so its libraries were not tried`).join(", ")}.`,
    "**yes**: the library works as its documentation says. **set**: it works with the setting that stands below. **no**: it does not work; the reason stands below. An empty cell: the library does not do this.",
    "## Clients",
    "Each gets a token and calls `GET /time` with it, which answers 200. *RFC 8414* and *OpenID* say whether the library finds the endpoints at `/.well-known/oauth-authorization-server` and at `/.well-known/openid-configuration`. `private_key_jwt` is tried with each algorithm that the library has, of ES256, RS256 and Ed25519. The MCP SDKs start from the answer 401 of `/time` alone; by Basic, post and `private_key_jwt` they are a client that is registered for one of the two scopes. *DPoP*: the token is bound to a key, and `/time` is called with a proof (RFC 9449). *exchange*: another client's token is exchanged (RFC 8693). *ID-JAG*: an identity provider lets the client act for a person. *JWT-SVID*: the library takes the SVID of a workload by the bundle of its trust domain, and the same bytes are the client's assertion.",
    table(
      [
        "",
        "Library",
        "Version",
        "RFC 8414",
        "OpenID",
        "basic",
        "post",
        "`private_key_jwt`",
        "refresh",
        "JWT-SVID",
        "DPoP",
        "exchange",
        "ID-JAG",
      ],
      rows(clients, CLIENT_CHECKS),
    ),
    "## Validators",
    "Each takes a good token and refuses four: expired, for another audience, of another issuer, and altered. The first three carry a true signature of the auth-server, so only the claim can refuse them. The columns are the values of `SIGNING_ALGORITHM`.",
    table(["", "Library", "Version", ...TOKEN_ALGORITHMS], rows(validators, TOKEN_ALGORITHMS)),
    "Every library here checks a signature and claims. None knows of revocation: a token that was revoked stays good for it until it expires. A resource server that must refuse it earlier asks (introspection) or follows the feed ([protocol](../protocol.md#3-revocation)).",
    "[Protect your API with a stock validator](../how-to/stock-validators.md) shows a whole service for each of these languages. They were run too (that for Node is run by `npm test`):",
    findingTable(services),
    "## Settings",
    list(
      all.flatMap(({ verdicts }) => verdicts),
      "setting",
    ),
    "## What does not work",
    list(
      all.flatMap(({ verdicts }) => verdicts),
      "no",
    ),
    "## Recipes",
    "Each is a piece of the program that ran for this page.",
    ...recipes.flatMap(({ title, language, code }) => [
      `### ${title}`,
      `\`\`\`${language}\n${code}\n\`\`\``,
    ]),
    "## OpenAPI documents",
    findingTable(documents),
    "## Kubernetes manifests",
    findingTable(manifests),
  ].join("\n\n");
}

/** One row for each library. */
function matrix(language: string, verdicts: Verdict[], checks: readonly Check[]): string[][] {
  const libraries = Map.groupBy(verdicts, ({ library }) => library);
  return [...libraries].map(([library, its], i) => [
    i === 0 ? language : "",
    library,
    its[0]?.version ?? "",
    ...checks.map((check) => {
      const kind = its.find((verdict) => verdict.check === check)?.kind;
      return kind === undefined ? "" : { unchanged: "yes", setting: "set", no: "**no**" }[kind];
    }),
  ]);
}

function list(verdicts: readonly Verdict[], kind: Verdict["kind"]): string {
  const of = verdicts.filter((verdict) => verdict.kind === kind);
  if (of.length === 0) return "Nothing.";
  const groups = Map.groupBy(of, ({ library, setting, seen }) =>
    [library, setting, withoutPorts(seen)].join("\n"),
  );
  return [...groups.values()]
    .map((group) => {
      const [first] = group as [Verdict, ...Verdict[]];
      const checks = group.map(({ check }) => check).join(", ");
      const reason = reasonFor(first);
      const says = first.seen === "" ? "" : ` Without it: ${quoted(withoutPorts(first.seen))}.`;
      return first.kind === "setting"
        ? `- **${first.library}**, ${checks}: ${first.setting}.${says}`
        : `- **${first.library}**, ${checks}: ${reason ?? "The reason is not known."} It says: ${quoted(withoutPorts(first.seen))}.`;
    })
    .join("\n");
}

function findingTable(findings: readonly Finding[]): string {
  return table(
    ["Tool", "What", "Result"],
    findings.map(({ tool, what, passed, seen }) => [
      tool,
      what,
      passed === undefined ? `not run: ${seen}` : resultOf(passed, seen),
    ]),
  );
}

/** How the tools name a finding, each on a line of its own; the name is the first group. */
const FINDING =
  /^(?:\[(?:CRITICAL|WARNING)\] [^:]+: (?:\([^)]*\) )?|Check: |(?:Error|Warning) was generated by the )(?<name>.+)$/gm;

function resultOf(passed: boolean, seen: string): string {
  const requests = /(?<count>\d+) generated/.exec(seen)?.groups?.["count"];
  if (passed) return requests === undefined ? "passes" : `passes, ${requests} requests`;
  const names = [...seen.matchAll(FINDING)].map(({ groups }) => groups?.["name"] ?? "");
  const counted = [...Map.groupBy(names, (name) => name)].map(
    ([name, of]) => `${name.replaceAll('"', "")} (${of.length})`,
  );
  return `**has findings**: ${counted.join("; ")}`;
}

/** Ports differ from run to run. */
function withoutPorts(text: string): string {
  return text.replaceAll(/(localhost|127\.0\.0\.1):\d+/g, "$1");
}

function quoted(text: string): string {
  return `\`${text.replaceAll(/\s+/g, " ").replaceAll("`", "'").slice(0, 200)}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
    .join("\n");
}
