/**
 * What is shown once (a secret, a key) gets to its reader or is ended again: room for it is made before
 * anything is asked of the server, and what could not be handed over is not left alive unseen.
 */
import { PATHS } from "@daykey/common/protocol";
import type { NewSecret } from "./admin-api.ts";
import { type Cli, hint } from "./cli.ts";
import { type Credential, parseCredential } from "./credential.ts";
import { CliError, EXIT } from "./exit.ts";
import { explain } from "./explain.ts";
import { facts, json } from "./output.ts";
import { draftPrivate, readIfThere } from "./private-file.ts";
import { localAndRelative } from "./times.ts";

/** Something that was made and is shown once. */
export interface Made {
  /** As in "The secret k3f9a1c2 of billing". */
  name: string;
  /** Ends it. */
  undo: () => Promise<unknown>;
  /** The command that ends it, without the program's name. */
  undoBy: string;
  /** How to get another. */
  next: string;
}

/** What is written to the file, and what is printed where there is none. */
export interface Texts {
  file: string;
  screen: string;
}

/** @throws {CliError} when it got nowhere; it was ended then, or the message says that it was not */
export type Hand = (texts: Texts, made: Made) => Promise<void>;

/**
 * Runs `make` with the way to its reader. @param path the file of --save
 * @throws {CliError} before `make` is run when file or standard output could not be written
 */
export async function handingOver(
  cli: Cli,
  path: string | undefined,
  make: (hand: Hand) => Promise<void>,
): Promise<void> {
  if (path === undefined) {
    requireOutput(cli, "Give --save FILE, or let standard output go to someone who reads it.");
    return make(async ({ screen }, made) => printOrUndo(cli, screen, made));
  }
  const draft = await draftPrivate(path);
  try {
    await make(async ({ file, screen }, made) => {
      try {
        await draft.keep(file);
      } catch (error) {
        await printOrUndo(cli, screen, made);
        throw error;
      }
    });
  } finally {
    await draft.drop();
  }
}

/** @throws {CliError} when it is known already that what is printed would be lost */
export function requireOutput(cli: Cli, remedy: string): void {
  const loss = cli.terminal.outputLoss();
  if (loss === undefined) return;
  const why =
    loss === "/dev/null" ? "goes to /dev/null or is closed" : `cannot be written (${loss})`;
  throw new CliError(
    EXIT.output,
    `Nothing was done: standard output ${why}, and what is shown once would be lost`,
    {
      hint: remedy,
    },
  );
}

async function printOrUndo(
  cli: Cli,
  screen: string,
  { name, undo, undoBy, next }: Made,
): Promise<void> {
  cli.terminal.print(screen);
  const fault = cli.terminal.outputFault;
  if (fault === undefined) return;
  const lost = `${name} was made but could not be shown (${fault})`;
  try {
    await undo();
  } catch (error) {
    throw new CliError(EXIT.output, `${lost}, nor ended: ${explain(error).message}`, {
      hint: `End it: daykey ${undoBy}. Then get another: ${next}`,
    });
  }
  throw new CliError(EXIT.output, `${lost}, so it was ended`, { hint: `Get another: ${next}` });
}

/**
 * Refuses a file that is not to be lost: only a credential of the same client is replaced.
 * @throws {CliError}
 */
export async function checkSave(
  path: string | undefined,
  { issuer, clientId }: { issuer: string; clientId: string | undefined },
): Promise<void> {
  if (path === undefined) return;
  const text = await readIfThere(path);
  if (text === undefined) return;
  const present = parseCredential(text, path);
  if (present.client_id === clientId && present.issuer === issuer) return;
  throw new CliError(EXIT.credential, `${path} is another client's credential; it is left alone`);
}

/**
 * Hands a client's new secret over: a credential file that SDK and CLI take as it is, or the screen.
 * Resolves with what --json may show, undefined when it was shown.
 * @throws {CliError} when it got nowhere
 */
export async function handOver(
  cli: Cli,
  hand: Hand,
  secret: NewSecret,
  {
    path,
    issuer,
    resource,
    shownWith = (view) => view,
    undo,
  }: {
    path: string | undefined;
    issuer: string;
    resource: string;
    /** Around the secret, with --json. */
    shownWith?: (secret: NewSecret) => object;
    undo: () => Promise<unknown>;
  },
): Promise<void> {
  const { client_secret, root, ...rest } = secret;
  const shown = client_secret === undefined ? rest : { ...rest, client_secret };
  const { client_id: clientId, kid, salt } = secret;
  const credential: Partial<Credential> = {
    issuer,
    token_endpoint: `${issuer}${PATHS.token}`,
    resource,
    client_id: clientId,
    ...(client_secret !== undefined && { client_secret }),
    ...(root !== undefined && { root, kid }),
    salt,
  };
  const isJson = cli.globals().json === true;
  const screen = isJson ? json(shownWith(shown)) : secretFacts(cli, secret);
  await hand(
    { file: `${JSON.stringify(credential, null, 2)}\n`, screen },
    {
      name: `The secret ${kid} of ${clientId}`,
      undo,
      undoBy: `secrets revoke ${clientId} ${kid}`,
      next: `daykey secrets rotate ${clientId} --save FILE`,
    },
  );
  if (path !== undefined) {
    if (isJson) cli.terminal.print(json(shownWith(rest)));
    const what = root === undefined ? "The secret" : "What the hash forms need of the secret";
    return hint(cli, `${what} is in ${path}, readable by you alone.`);
  }
  if (client_secret !== undefined) hint(cli, "The secret is shown this once: keep it now.");
}

function secretFacts(
  cli: Cli,
  { client_id, kid, client_secret, salt, expires_at }: NewSecret,
): string {
  return facts([
    ["client_id", client_id],
    ["kid", kid],
    ["client_secret", client_secret],
    ["salt", salt],
    ["ends", localAndRelative(expires_at, cli.clock())],
  ]);
}

/**
 * Refuses a key file that is not to be lost: only that of the key which is replaced is.
 * @throws {CliError}
 */
export async function checkKeyFile(
  path: string | undefined,
  replacedId: string | undefined,
): Promise<void> {
  if (path === undefined) return;
  const text = await readIfThere(path);
  if (text === undefined || (replacedId !== undefined && text.includes(replacedId))) return;
  throw new CliError(EXIT.credential, `${path} is there already; it is left alone`);
}

/** Tells where a key is. */
export function tellKey(cli: Cli, path: string | undefined): void {
  if (path === undefined) hint(cli, "The key is shown this once: keep it now.");
  else hint(cli, `The key is in ${path}, readable by you alone.`);
}
