/** Which form does what. */
import { makeSecret, pathOf } from "./client-pages.ts";
import type { Action } from "./endpoint.ts";
import { explainToken, switchIssuer, switchRule } from "./trust-pages.ts";

/** What changes something is done once for each form that was shown. */
export const ACTIONS: Readonly<Record<string, { act: Action; changes: boolean }>> = {
  "/console/clients/:client_id/disable": onClient("disableClient"),
  "/console/clients/:client_id/enable": onClient("enableClient"),
  "/console/clients/:client_id/revoke-tokens": onClient("revokeTokensOfClient"),
  "/console/clients/:client_id/secrets": { act: makeSecret, changes: true },
  "/console/clients/:client_id/secrets/:kid/revoke": onClient("revokeSecret"),
  "/console/trust/issuers/:name": { act: switchIssuer, changes: true },
  "/console/trust/rules/:name": { act: switchRule, changes: true },
  "/console/trust/explain": { act: explainToken, changes: false },
  "/console/keys/rotate": onKeys("rotateKeys"),
  "/console/keys/:kid/revoke": onKeys("revokeKey"),
};

function onClient(operationId: string): { act: Action; changes: boolean } {
  return {
    changes: true,
    async act({ ask, params }) {
      await ask(operationId, { params });
      return { to: pathOf(params["client_id"] ?? "") };
    },
  };
}

function onKeys(operationId: string): { act: Action; changes: boolean } {
  return {
    changes: true,
    async act({ ask, params }) {
      await ask(operationId, { params });
      return { to: "/console/keys" };
    },
  };
}
