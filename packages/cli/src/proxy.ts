/** The way out of this machine: what `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say, as curl reads them. */
import { CliError, EXIT } from "./exit.ts";

/** A proxy elsewhere cannot reach this machine's own addresses. */
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]", "::1"];

/** For every request from now on; nothing when no proxy is named. @throws {CliError} */
export async function useProxy(env: Readonly<Record<string, string | undefined>>): Promise<void> {
  const names = ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"];
  const proxies = Object.fromEntries(names.map((name) => [name, env[name] || undefined]));
  if (Object.values(proxies).every((url) => url === undefined)) return;
  const exempt = env["no_proxy"] || env["NO_PROXY"] || "";
  const no_proxy = exempt.trim() === "*" ? "*" : [exempt, ...LOOPBACK].filter(Boolean).join(",");
  const http = await import("node:http");
  try {
    http.setGlobalProxyFromEnv({ ...proxies, no_proxy });
  } catch (cause) {
    const named = names.filter((name) => proxies[name] !== undefined).join(", ");
    throw new CliError(EXIT.usage, `The proxy cannot be used: ${named} is not a URL`, {
      hint: "Write it as http://proxy.example.com:3128, or unset it.",
      cause,
    });
  }
}
