/** What the public listener answers: the endpoints for clients and resource servers, and the first page. */
import { PATHS } from "@daykey/common/protocol";
import { createRootPage } from "@daykey/service/http/root-page";
import type { Health } from "@daykey/service/process/health";
import { createSignatureKeyEndpoint } from "./access-keys/endpoint.ts";
import type { PresentedKeys } from "./access-keys/present.ts";
import type { ReadAuthenticated } from "./authentication/client-endpoint.ts";
import type { Workloads } from "./authentication/workload.ts";
import type { ChangeWatcher } from "./changes/watcher.ts";
import type { Grants } from "./grants/compose.ts";
import type { Ground } from "./ground.ts";
import { createIntrospectionEndpoint } from "./introspection/endpoint.ts";
import type { IssuerAccess } from "./issuer-access/compose.ts";
import { createJwksEndpoint } from "./keys/endpoint.ts";
import type { KeyRing } from "./keys/key-ring.ts";
import { createMetadataEndpoint } from "./metadata/endpoint.ts";
import type { ResourceDirectory } from "./resources/resource-directory.ts";
import { createRevocationEndpoint } from "./revocation/endpoint.ts";
import { createFeedEndpoint } from "./revocation/feed-endpoint.ts";
import type { LiveSet } from "./revocation/live-set.ts";
import type { Tokens } from "./token/compose.ts";
import type { IsOpenGrantType } from "./token/endpoint.ts";
import { createUsageEndpoint } from "./usage/endpoint.ts";
import type { UsageStore } from "./usage/usage-store.ts";

export function createPublicEndpoints(
  parts: Pick<Ground, "settings" | "issuer" | "clock"> &
    IssuerAccess &
    Grants &
    Tokens & {
      readAuthenticated: ReadAuthenticated;
      workloads: Pick<Workloads, "isOpen" | "isOpenToSpiffe">;
      isOpenGrantType: IsOpenGrantType;
      presentedKeys: PresentedKeys;
      directory: ResourceDirectory;
      keys: KeyRing;
      liveSet: LiveSet;
      watcher: ChangeWatcher;
      usage: UsageStore;
      health: Pick<Health, "stopping">;
    },
) {
  const longestGrantSeconds = parts.settings.refreshAbsoluteMaxSeconds;
  return [
    ...parts.tokenRouters,
    createRevocationEndpoint({ ...parts, longestGrantSeconds }),
    createIntrospectionEndpoint(parts),
    createSignatureKeyEndpoint(parts),
    createUsageEndpoint(parts),
    createFeedEndpoint({ ...parts, stopping: parts.health.stopping }),
    createJwksEndpoint(parts.keys),
    createMetadataEndpoint(parts),
    createRootPage({
      name: "Daykey auth-server",
      about: `It issues access tokens to programs (OAuth 2.0), as ${parts.issuer}.`,
      pointers: { metadata: PATHS.authorizationServerMetadata, "public keys": PATHS.jwks },
    }),
  ];
}
