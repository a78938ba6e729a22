// Run by the CronJob `renewal`, in the image of the command line: for each client of CLIENTS whose secret ends
// within 60 days or has ended, makes another by `daykey secrets rotate` and puts it into the Kubernetes secret
// of the client's name. The one before lives on until its own end. What could not be put there is revoked.
import { execFile } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const {
  CLIENTS = "",
  CREDENTIAL_FILE = "",
  TOKEN_ENDPOINT,
  HOME = "",
  LOST_AFTER_DAYS = "1",
  DAYKEY = "/daykey/packages/cli/bin/daykey.mjs",
  KUBERNETES_URL = "https://kubernetes.default.svc",
  ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount",
} = process.env;
const RENEW_DAYS = 60;
/** When a secret was last used is written late. */
const DAY = 86_400_000;
const KEY = "credential.json";
const ADMIN_FILE = join(HOME, "admin.json");

async function daykey(...args) {
  const env = { ...process.env, DAYKEY_CREDENTIAL_FILE: ADMIN_FILE };
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [DAYKEY, ...args], { env });
    return stdout;
  } catch (error) {
    const why = error.stderr?.trim() || error.message;
    throw new Error(`daykey ${args.slice(0, 3).join(" ")}: ${why}`, { cause: error });
  }
}

/** Reads a Kubernetes secret, or changes it if nobody else did since it was read. */
async function secretOf(name, patch) {
  const account = (file) => readFile(join(ACCOUNT, file), "utf8");
  const path = `/api/v1/namespaces/${(await account("namespace")).trim()}/secrets/${name}`;
  const response = await fetch(new URL(path, KUBERNETES_URL), {
    method: patch ? "PATCH" : "GET",
    headers: {
      authorization: `Bearer ${(await account("token")).trim()}`,
      ...(patch && { "content-type": "application/merge-patch+json" }),
    },
    ...(patch && { body: JSON.stringify(patch) }),
    signal: AbortSignal.timeout(30_000),
  });
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  throw new Error(`the secret ${name} of Kubernetes: ${response.status} ${body.message ?? ""}`);
}

async function renew(client) {
  const { data = {}, metadata } = await secretOf(client);
  const text = Buffer.from(data[KEY] ?? "", "base64").toString();
  if (text === "") throw new Error(`the secret ${client} of Kubernetes holds no ${KEY}`);
  const credential = JSON.parse(text);
  if (credential.client_id !== client) {
    throw new Error(`the secret ${client} of Kubernetes is of the client ${credential.client_id}`);
  }
  const ownKid = credential.kid ?? credential.client_secret?.split("_")[1];
  const { items } = JSON.parse(await daykey("secrets", "list", client, "--json"));
  const live = items.filter((secret) => secret.live);
  const own = live.find(({ kid }) => kid === ownKid);
  const daysLeft = own ? (Date.parse(own.expires_at) - Date.now()) / DAY : 0;
  if (daysLeft > RENEW_DAYS) return `${client}: its secret ${ownKid} ends ${own.expires_at}`;

  // The lost one of an earlier run leaves no room; one that somebody may use is not ours to end.
  const other = live.find(({ kid }) => kid !== ownKid);
  const isLost =
    other?.last_used_at === null &&
    Date.now() - Date.parse(other.created_at) >= Number(LOST_AFTER_DAYS) * DAY;
  if (other && !isLost) {
    throw new Error(
      `it has another secret, ${other.kid}, which is new or used; put that one into the secret ${client}, or revoke it`,
    );
  }
  if (other) await daykey("secrets", "revoke", client, other.kid, "--yes");

  const file = join(HOME, KEY);
  await rm(file, { force: true });
  const made = JSON.parse(
    await daykey(
      "secrets",
      "rotate",
      client,
      "--overlap",
      `${RENEW_DAYS}d`,
      "--save",
      file,
      "--json",
    ),
  );
  try {
    const content = (await readFile(file)).toString("base64");
    const { resourceVersion } = metadata;
    await secretOf(client, { metadata: { resourceVersion }, data: { [KEY]: content } });
  } catch (error) {
    // Where this fails too, the next run ends it.
    await daykey("secrets", "revoke", client, made.kid, "--yes").catch(() => {});
    throw error;
  } finally {
    await rm(file, { force: true });
  }
  return `${client}: the secret ${made.kid} follows ${ownKid}`;
}

const admin = JSON.parse(await readFile(CREDENTIAL_FILE, "utf8"));
const endpoint = TOKEN_ENDPOINT && { token_endpoint: TOKEN_ENDPOINT };
await writeFile(ADMIN_FILE, JSON.stringify({ ...admin, ...endpoint }), { mode: 0o600 });
for (const client of CLIENTS.split(" ")) {
  try {
    process.stdout.write(`${await renew(client)}\n`);
  } catch (error) {
    process.stderr.write(`${client} was not renewed: ${error.message}\n`);
    process.exitCode = 1;
  }
}
