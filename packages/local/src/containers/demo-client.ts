/** The client of `docker compose run --rm demo`, made by the command line as an operator does it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { text } from "node:stream/consumers";
import {
  type CredentialFile,
  readCredentialFile,
} from "@daykey/auth-server/registration/credential-file";
import { kidOfSecret } from "@daykey/common/secret-hash";
import { LocalError } from "../local-error.ts";

/** How one call of the command line ended. With `--json` an error is JSON on `stderr`. */
interface CallEnd {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end; null for one that a signal ended. */
export async function callProgram(
  program: string,
  args: readonly string[],
  env = process.env,
): Promise<CallEnd> {
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close") as Promise<[number | null]>,
  ]);
  return { status, stdout, stderr };
}

/**
 * It is the client that its file names, for as long as that exists; a deleted id is never used again, so
 * then the next free one is, such as `demo-2`. Without a live secret in the file it gets another one.
 * @param options.daykey calls the command line, as an admin
 * @throws {LocalError} with what the command line said, and for a client that is disabled
 */
export async function ensureDemoClient({
  path,
  resource,
  daykey,
  print,
}: {
  path: string;
  resource: string;
  daykey: (...args: string[]) => Promise<CallEnd>;
  print: (line: string) => void;
}): Promise<CredentialFile> {
  function done({ status, stderr }: CallEnd): void {
    if (status !== 0) throw new LocalError(`The client demo could not be made ready: ${stderr}`);
  }

  /** Undefined where there is no such client. */
  async function show(clientId: string): Promise<{ enabled: boolean } | undefined> {
    const shown = await daykey("clients", "show", clientId, "--json");
    if (shown.status !== 0 && shown.stderr.includes("unknown-client")) return undefined;
    done(shown);
    return JSON.parse(shown.stdout) as { enabled: boolean };
  }

  async function hasLiveSecret({ client_id, client_secret }: CredentialFile): Promise<boolean> {
    const listed = await daykey("secrets", "list", client_id, "--json");
    done(listed);
    const { items } = JSON.parse(listed.stdout) as { items: { kid: string; live: boolean }[] };
    return items.some(({ kid, live }) => live && kid === kidOfSecret(client_secret));
  }

  async function create(): Promise<void> {
    for (let n = 1; ; n++) {
      const clientId = n === 1 ? "demo" : `demo-${n}`;
      const what = ["clients", "create", clientId, "--name", "demo", "--resource", resource];
      const how = ["--scope", "time:read", "primes:check", "--refresh", "--save", path];
      const made = await daykey(...what, ...how, "--json");
      if (made.status !== 0 && made.stderr.includes("client-exists")) continue;
      done(made);
      print(`daykey ${[...what, ...how].join(" ")}`);
      return;
    }
  }

  const file = await readCredentialFile(path);
  const clientId = file?.client_id ?? "demo";
  const client = await show(clientId);
  if (client?.enabled === false) {
    throw new LocalError(
      `The client ${clientId} is disabled: docker compose run --rm cli clients enable ${clientId}`,
    );
  }
  if (!client) {
    // The command line leaves another client's file alone; this one's client is gone for good.
    await rm(path, { force: true });
    await create();
  } else if (!file || !(await hasLiveSecret(file))) {
    const rotation = ["secrets", "rotate", clientId, "--save", path];
    done(await daykey(...rotation, "--json"));
    print(`daykey ${rotation.join(" ")}`);
  }
  const ready = await readCredentialFile(path);
  if (!ready) throw new LocalError(`${path} is not there`);
  return ready;
}
