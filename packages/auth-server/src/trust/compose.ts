/** Trust, put together: the directory in memory, the engine for authentication, the admin's side. */
import { createDocumentFetch } from "../authentication/jwks-fetch.ts";
import type { ClientCache } from "../clients/client-cache.ts";
import type { Ground } from "../ground.ts";
import { createTrustDirectory, type TrustDirectory } from "./directory.ts";
import { createTrustEngine, type TrustEngine } from "./engine.ts";
import { createExplain, type Explain } from "./explain.ts";
import { createIssuerKeys } from "./issuer-keys.ts";
import { createTrustStore, type TrustStore } from "./trust-store.ts";

export interface Trust {
  trust: TrustStore;
  trustDirectory: TrustDirectory;
  workloads: TrustEngine;
  explain: Explain;
}

export async function composeTrust({
  settings,
  issuer,
  database,
  newsSeconds,
  clock,
  log,
  cache,
}: Pick<Ground, "settings" | "issuer" | "database" | "newsSeconds" | "clock" | "log"> & {
  cache: ClientCache;
}): Promise<Trust> {
  const trust = createTrustStore(database, { issuer, newsSeconds });
  const trustDirectory = await createTrustDirectory(trust, issuer);
  const fetchDocument = createDocumentFetch({ allowPrivate: settings.allowPrivateJwksUri });
  const keys = createIssuerKeys({ fetchDocument, clock, log });
  const workloads = createTrustEngine({ directory: trustDirectory, keys, cache, issuer, clock });
  return {
    trust,
    trustDirectory,
    workloads,
    explain: createExplain({ ...settings, engine: workloads }),
  };
}
