/** Where the secrets of clients that `apply` makes go: a file each, which nobody else may read. */
import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { PATHS } from "@daykey/common/protocol";
import { stringify } from "yaml";
import type { NewSecret } from "./admin-api.ts";
import { CliError, EXIT } from "./exit.ts";
import { cannotWrite, codeOf } from "./private-file.ts";

export const SECRET_FORMS = ["files", "kubernetes"] as const;
export type SecretForm = (typeof SECRET_FORMS)[number];

export interface SecretKeeper {
  /**
   * Makes the file of a client, then the secret, and writes it. What cannot be written is ended by `undo`.
   * @throws {CliError} before `make` runs when the file is there already or cannot be written
   */
  keep(
    clientId: string,
    make: () => Promise<{ secret: NewSecret; resource: string; undo: () => Promise<void> }>,
  ): Promise<void>;
  /** The files that were written. */
  readonly written: readonly string[];
}

/** More than any of these files needs: a full disk shows before there is a secret to lose. */
const ROOM_BYTES = 16_384;

export function createSecretKeeper({
  issuer,
  folder,
  form,
}: {
  issuer: string;
  folder: string;
  form: SecretForm;
}): SecretKeeper {
  const written: string[] = [];
  return {
    written,
    async keep(clientId, make) {
      const path = join(folder, `${clientId}.${form === "files" ? "json" : "secret.yaml"}`);
      const file = await begin(folder, path);
      let isKept = false;
      try {
        const { secret, resource, undo } = await make();
        try {
          const text = textOf(form, credentialOf({ issuer, resource, secret }));
          const bytes = Buffer.from(text);
          await file.write(bytes, 0, bytes.length, 0);
          await file.truncate(bytes.length);
          await file.sync();
          isKept = true;
          written.push(path);
        } catch (error) {
          await undo();
          throw cannotWrite(path, error);
        }
      } finally {
        await file.close().catch(() => {});
        if (!isKept) await rm(path, { force: true });
      }
    },
  };
}

async function begin(folder: string, path: string) {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = await open(path, "wx", 0o600);
    await file.writeFile(Buffer.alloc(ROOM_BYTES, " "));
    return file;
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw cannotWrite(path, error);
    throw new CliError(EXIT.credential, `${path} is there already; it is left alone`);
  }
}

function credentialOf({
  issuer,
  resource,
  secret,
}: {
  issuer: string;
  resource: string;
  secret: NewSecret;
}) {
  return {
    issuer,
    token_endpoint: `${issuer}${PATHS.token}`,
    resource,
    client_id: secret.client_id,
    client_secret: secret.client_secret,
    salt: secret.salt,
  };
}

/** A manifest holds the same file, for a volume. */
function textOf(form: SecretForm, credential: ReturnType<typeof credentialOf>): string {
  const text = `${JSON.stringify(credential, null, 2)}\n`;
  if (form === "files") return text;
  // RFC 1123: what Kubernetes lets a Secret be named.
  const name = `daykey-${credential.client_id.toLowerCase().replaceAll(/[^a-z0-9-]+/g, "-")}`;
  return stringify({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: name.replace(/-+$/, "") },
    type: "Opaque",
    stringData: { "credential.json": text },
  });
}
