/**
 * The secrets of the clients that a set-up made, each in a file of its own: renewed in time by whoever
 * runs the set-up again, with overlap, and mended whatever became of file or secret.
 */
import {
  type CredentialFile,
  credentialFileOf,
  draftCredentialFile,
  keepDraft,
  readCredentialFile,
  readDraft,
  writeCredentialFile,
} from "@daykey/auth-server/registration/credential-file";
import type { ClientRegistrar } from "@daykey/auth-server/registration/register";
import type { SecretsStore } from "@daykey/auth-server/registration/secrets-store";
import { type RecordSetUp, secretFacts } from "@daykey/auth-server/registration/set-up-record";
import { type Clock, formatInstant } from "@daykey/common/clock";
import { kidOfSecret } from "@daykey/common/secret-hash";

/** A secret of a year gets its successor when so much of it is left. */
const RENEW_SECONDS = 60 * 86_400;

/** What a credential file says besides the secret. */
interface Place {
  issuer: string;
  /** The client's default resource. */
  resource: string;
  /** For an admin: where the admin API is, if not at its usual place. */
  adminUrl?: string | undefined;
}

export interface SetupSecrets {
  /**
   * Makes sure that the file holds a live secret of this client, with 60 days left at least. Else the
   * client gets another, and the one before lives on until its end. The file is written after the commit,
   * from a draft written before: a crash between them is mended by the next call. Where two others are
   * live, the older one is revoked. Both are recorded in the audit log.
   * @param options.isRevokedFinal a secret in the file that was revoked gets no successor
   * @returns whether the file got another secret
   * @throws {CredentialFileError} when the file cannot be written, or holds something else
   */
  ensure(
    path: string,
    clientId: string,
    place: Place,
    options?: { isRevokedFinal?: boolean },
  ): Promise<boolean>;
}

export function createSetupSecrets({
  stored,
  registrar,
  record,
  clock,
}: {
  stored: Pick<SecretsStore, "list" | "revoke">;
  registrar: Pick<ClientRegistrar, "rotateSecret">;
  record: RecordSetUp;
  clock: Clock;
}): SetupSecrets {
  async function add(path: string, clientId: string, place: Place): Promise<void> {
    await registrar.rotateSecret(
      clientId,
      { kind: "generated" },
      {
        overlapSeconds: undefined,
        async beforeCommit(tx, { stored: made, clientSecret = "" }) {
          const { kid, salt } = made;
          await draftCredentialFile(path, contentOf({ clientId, clientSecret, salt }, place));
          const target = `${clientId} ${kid}`;
          await record(tx, {
            action: "secret.add",
            target,
            before: null,
            after: secretFacts(made),
          });
        },
      },
    );
    await keepDraft(path);
  }

  async function revoke(clientId: string, kid: string): Promise<void> {
    await stored.revoke(clientId, kid, async (tx, before, { revokedAt = clock() }) =>
      record(tx, {
        action: "secret.revoke",
        target: `${clientId} ${kid}`,
        before: secretFacts(before),
        after: { ...secretFacts(before), revoked_at: formatInstant(revokedAt) },
      }),
    );
  }

  return {
    async ensure(path, clientId, place, { isRevokedFinal = false } = {}) {
      const all = (await stored.list(clientId)) ?? [];
      const live = all.filter((secret) => secret.live);
      const liveKid = (file: CredentialFile | undefined): string | undefined => {
        const kid = file?.client_id === clientId ? kidOfSecret(file.client_secret) : undefined;
        return live.some((secret) => secret.kid === kid) ? kid : undefined;
      };
      const draft = await readDraft(path);
      if (draft && liveKid(draft) !== undefined) await keepDraft(path);

      const file = await readCredentialFile(path);
      const own = live.find(({ kid }) => kid === liveKid(file));
      const isNearEnd = !own || own.expiresAt - clock() <= RENEW_SECONDS;
      const kid = file && kidOfSecret(file.client_secret);
      const isRevoked = all.some((secret) => secret.kid === kid && secret.revokedAt !== undefined);
      if (file && (!isNearEnd || (isRevoked && isRevokedFinal))) {
        const { client_secret: clientSecret, salt } = file;
        const content = contentOf({ clientId: file.client_id, clientSecret, salt }, place);
        const isSame = JSON.stringify(content) === JSON.stringify(file);
        if (!isSame) await writeCredentialFile(path, content);
        return false;
      }
      const oldest = live.filter((secret) => secret !== own).at(-1);
      if (oldest && live.length > 1) await revoke(clientId, oldest.kid);
      await add(path, clientId, place);
      return true;
    },
  };
}

function contentOf(
  issued: Parameters<typeof credentialFileOf>[0],
  { adminUrl, ...place }: Place,
): CredentialFile {
  const content = credentialFileOf(issued, place);
  return adminUrl === undefined ? content : { ...content, admin_url: adminUrl };
}
