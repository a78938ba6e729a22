/** The way out of this machine: what `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say, as curl reads them. */
import { CliError, EXIT } from "./exit.ts";

/** A proxy elsewhere cannot reach this machine's own addresses. */
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]", "::1"];

type Env = Readonly<Record<string, string | undefined>>;

const NAMES = ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"] as const;

/** What the environment says; undefined when no proxy is named. */
export function proxiesIn(
  env: Env,
): { proxies: Record<(typeof NAMES)[number], string | undefined>; noProxy: string } | undefined {
  const [https_proxy, HTTPS_PROXY, http_proxy, HTTP_PROXY] = NAMES.map(
    (name) => env[name] || undefined,
  );
  const proxies = { https_proxy, HTTPS_PROXY, http_proxy, HTTP_PROXY };
  if (Object.values(proxies).every((url) => url === undefined)) return undefined;
  const exempt = env["no_proxy"] || env["NO_PROXY"] || "";
  const noProxy = exempt.trim() === "*" ? "*" : [exempt, ...LOOPBACK].filter(Boolean).join(",");
  return { proxies, noProxy };
}

/** For every request from now on; nothing when no proxy is named. @throws {CliError} */
export async function useProxy(env: Env): Promise<void> {
  const said = proxiesIn(env);
  if (!said) return;
  const { proxies, noProxy: no_proxy } = said;
  const http = await import("node:http");
  try {
    http.setGlobalProxyFromEnv({ ...proxies, no_proxy });
  } catch (cause) {
    const named = NAMES.filter((name) => proxies[name] !== undefined).join(", ");
    throw new CliError(EXIT.usage, `The proxy cannot be used: ${named} is not a URL`, {
      hint: "Write it as http://proxy.example.com:3128, or unset it.",
      cause,
    });
  }
}
