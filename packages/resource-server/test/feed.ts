/** What the tests of revocation share: a server that reacts at once, and waiting until it has heard. */
import type { Entry } from "./auth-server.ts";
import { type Options, startResourceServer, type TestResourceServer } from "./resource-server.ts";
import { until } from "./until.ts";

/** Pauses and looks are short; ages pass by `api.pass` alone. */
const QUICK = { pauseSeconds: [0.01, 0.02], lookSeconds: 0.01 } as const;

export function startListening(options: Options = {}): Promise<TestResourceServer> {
  return startResourceServer({ ...options, feedLimits: { ...QUICK, ...options.feedLimits } });
}

let markers = 0;

/** Revokes over the newest connection, and waits until the server has heard it all. */
export async function tell(api: TestResourceServer, ...entries: Entry[]): Promise<void> {
  const feed = api.authServer.feed();
  const gid = `marker-${(markers += 1)}`;
  for (const entry of [...entries, grant(gid)]) feed.revoke(entry);
  const token = api.token({ claims: { gid } });
  await until("the marker is refused", async () => (await api.time(token)).status === 401);
}

export function grant(subject: string, expires_at: number | null = null): Entry {
  return { kind: "grant", subject, expires_at };
}

/** How often the feed became live. */
export function timesLive(api: TestResourceServer): number {
  return api.lines.filter(({ event }) => event === "revocations_live").length;
}

/** Ends the newest connection and waits for the next to be live. */
export async function reconnect(api: TestResourceServer): Promise<void> {
  const before = timesLive(api);
  api.authServer.feed().end();
  await until("live again", () => timesLive(api) > before);
}

/** One number of `/metrics`. */
export async function metric(api: TestResourceServer, name: string): Promise<number> {
  const text = await (await fetch(`${api.privateUrl}/metrics`)).text();
  const value = new RegExp(`^${name}\\{.*\\} (.+)$`, "m").exec(text)?.[1];
  return value === "+Inf" ? Infinity : Number(value);
}

export async function statuses(
  api: TestResourceServer,
  tokens: readonly string[],
): Promise<number[]> {
  const answers = await Promise.all(tokens.map((token) => api.time(token)));
  return answers.map(({ status }) => status);
}
