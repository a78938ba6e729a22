/** docker-compose.yml on a Docker engine: a project of its own, its addresses, and load on them. */
import { execFile } from "node:child_process";
import { Agent, request } from "node:https";
import { promisify } from "node:util";
import { hashPrimitives } from "@daykey/auth-server/clients/verifiers";
import { dayFormHash } from "@daykey/common/secret-hash";
import { ROOT, sleep } from "./stack.ts";

const run = promisify(execFile);

const AUTH_PORT = "24443";
const RESOURCE_PORT = "25443";
export const ISSUER = `https://localhost:${AUTH_PORT}`;
export const RESOURCE = `https://localhost:${RESOURCE_PORT}`;

const ENV = {
  ...process.env,
  COMPOSE_PROJECT_NAME: "daykey-test",
  DAYKEY_ISSUER: ISSUER,
  DAYKEY_RESOURCE: RESOURCE,
  DAYKEY_AUTH_PORT: AUTH_PORT,
  DAYKEY_RESOURCE_PORT: RESOURCE_PORT,
  DAYKEY_SUBNET: "172.30.84.0/24",
  DAYKEY_GUARDED_SUBNET: "172.30.86.0/24",
};

/** `docker compose`, or what DAYKEY_TEST_COMPOSE names, such as docker-compose. */
const [COMPOSE = "", ...COMPOSE_ARGS] = (
  process.env["DAYKEY_TEST_COMPOSE"] ?? "docker compose"
).split(" ");

/** Its standard output. @throws with what it wrote, when it fails */
export async function compose(line: string): Promise<string> {
  return execute(COMPOSE, [...COMPOSE_ARGS, ...line.split(" ")]);
}

export async function docker(...args: string[]): Promise<string> {
  return execute("docker", args);
}

export interface Client {
  client_id: string;
  client_secret: string;
  salt: string;
}

/** Registers a client with the command line; `line` goes on after `clients create`. */
export async function register(line: string): Promise<Client> {
  const made = await compose(`run --rm -T cli --json clients create ${line}`);
  return (JSON.parse(made.slice(made.indexOf("{"))) as { secret: Client }).secret;
}

async function execute(command: string, args: string[]): Promise<string> {
  const { stdout } = await run(command, args, { cwd: ROOT, env: ENV, maxBuffer: 1 << 26 });
  return stdout;
}

/** Ids of a service's containers that run. */
export async function containersOf(service: string): Promise<string[]> {
  const ids = (await compose(`ps -q ${service}`)).trim().split("\n");
  const states = await docker("inspect", "-f", "{{.Id}} {{.State.Running}}", ...ids);
  return states
    .split("\n")
    .filter((line) => line.endsWith(" true"))
    .map((line) => line.split(" ")[0] ?? "");
}

export async function untilHealthy(id: string): Promise<void> {
  for (;;) {
    const state = await docker("inspect", "-f", "{{.State.Health.Status}}", id);
    if (state.trim() === "healthy") return;
    await sleep(200);
  }
}

export interface Answer {
  status: number;
  body: string;
}

export interface Browser {
  ask(url: string, options?: { headers?: Record<string, string>; body?: string }): Promise<Answer>;
  /** When each piece of a stream came, by `performance.now()`. Stops listening after `seconds`. */
  listen(url: string, headers: Record<string, string>, seconds: number): Promise<number[]>;
}

/** One that trusts the certificate that `init` made. */
export async function createBrowser(): Promise<Browser> {
  const ca = await compose("exec -T proxy cat /run/daykey/tls/certificate.pem");
  const agent = new Agent({ ca, keepAlive: true });
  return {
    ask: async (url, { headers = {}, body } = {}) =>
      new Promise((resolve, reject) => {
        const form = { "content-type": "application/x-www-form-urlencoded" };
        const sent = request(
          url,
          {
            agent,
            servername: "localhost",
            method: body === undefined ? "GET" : "POST",
            headers: { ...(body !== undefined && form), ...headers },
            timeout: 15_000,
          },
          (response) => {
            let text = "";
            response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
            response.on("error", reject);
            response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
          },
        );
        sent.on("timeout", () => sent.destroy(new Error("no answer within 15 s")));
        sent.on("error", reject).end(body);
      }),
    listen: async (url, headers, seconds) =>
      new Promise((resolve, reject) => {
        const times: number[] = [];
        const sent = request(url, { agent, headers }, (response) => {
          response.on("data", () => times.push(performance.now()));
          response.once("end", () => resolve(times)).once("error", () => resolve(times));
        });
        sent.once("error", reject).end();
        setTimeout(() => sent.destroy(), seconds * 1000);
      }),
  };
}

/** A token by the day form. */
export async function askToken(
  { ask }: Browser,
  client: Client,
  form: Record<string, string> = {},
): Promise<Answer> {
  const secret = { root: client.client_secret, salt: client.salt };
  const body = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: client.client_id,
    client_secret_hash: await dayFormHash(hashPrimitives, secret, Date.now() / 1000),
    ...form,
  });
  return ask(`${ISSUER}/oauth2/token`, { body: String(body) });
}

export interface Outcome {
  what: string;
  /** By `performance.now()`. */
  startedAt: number;
  endedAt: number;
  failure: string | undefined;
}

/** Asks for tokens and for the time with them, `lanes` requests at once, until `stop`. */
export function startLoad(
  browser: Browser,
  client: Client,
  lanes: number,
): { stop(): Promise<Outcome[]> } {
  const outcomes: Outcome[] = [];
  let isOver = false;

  async function once(what: string, work: () => Promise<Answer>): Promise<Answer | undefined> {
    const startedAt = performance.now();
    const told = (failure?: string): void =>
      void outcomes.push({ what, startedAt, endedAt: performance.now(), failure });
    try {
      const answer = await work();
      told(answer.status === 200 ? undefined : `${answer.status} ${answer.body}`);
      return answer.status === 200 ? answer : undefined;
    } catch (error) {
      told(String(error));
      return undefined;
    }
  }

  async function lane(): Promise<void> {
    while (!isOver) {
      const answer = await once("token", () => askToken(browser, client));
      if (!answer) continue;
      const { access_token } = JSON.parse(answer.body) as { access_token: string };
      const headers = { authorization: `Bearer ${access_token}` };
      await once("time", () => browser.ask(`${RESOURCE}/time`, { headers }));
    }
  }

  const lanesRun = Promise.all(Array.from({ length: lanes }, lane));
  return {
    async stop() {
      isOver = true;
      await lanesRun;
      return outcomes;
    },
  };
}
