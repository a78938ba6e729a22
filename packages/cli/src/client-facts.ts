/** A client, for people. */
import type { ClientView, ExchangeView } from "./admin-api.ts";
import { facts } from "./output.ts";
import { extText } from "./ext-option.ts";
import { scopesAtText } from "./scope-at-option.ts";
import { quotasText } from "./quota-option.ts";
import { duration, localAndRelative } from "./times.ts";

export function clientFacts(client: ClientView, now: number): string {
  const life = (seconds: bigint | null): string =>
    seconds === null ? "the server's setting" : duration(Number(seconds));
  const certificate = client.tls_client_auth ?? undefined;
  return facts([
    ["client_id", client.client_id],
    ["name", client.name],
    ["state", client.enabled ? "enabled" : "disabled"],
    ["auth methods", client.auth_methods.join(" ")],
    ["grant types", client.grant_types.join(" ")],
    ["scopes", client.scopes.join(" ")],
    ["resources", client.resources.join(" ")],
    ["scopes at", client.resource_scopes ? scopesAtText(client.resource_scopes) : undefined],
    ["access token", `${client.access_token_format}, ${life(client.access_token_seconds)}`],
    ["refresh idle", life(client.refresh_idle_seconds)],
    ["refresh absolute", life(client.refresh_absolute_seconds)],
    ["quotas", client.quotas.length === 0 ? "none" : quotasText(client.quotas)],
    ["token quotas", quotasText(client.token_quotas) || undefined],
    ["ext", Object.keys(client.ext).length > 0 ? extText(client.ext) : undefined],
    ["jwks_uri", client.jwks_uri ?? undefined],
    ["dpop", client.dpop === "optional" ? undefined : client.dpop],
    ["exchange", client.exchange ? exchangeText(client.exchange) : undefined],
    ["certificate", certificate && `${certificate.name}=${certificate.value}`],
    ["bound to", client.tls_client_certificate_bound_access_tokens ? "certificate" : undefined],
    ["assertion typ", client.require_assertion_typ ? "required" : undefined],
    ["epoch", String(client.epoch)],
    ["created", localAndRelative(client.created_at, now)],
    ["updated", localAndRelative(client.updated_at, now)],
    ["version", String(client.version)],
  ]);
}

function exchangeText({ subjects, audiences, scopes, impersonation }: ExchangeView): string {
  const all = (list: readonly string[]): string => (list.includes("*") ? "any" : list.join(" "));
  return [
    `tokens of ${all(subjects)}`,
    `for ${all(audiences) || "no resource"}`,
    ...(scopes ? [`into ${scopes.join(" ")}`] : []),
    ...(impersonation ? ["impersonation"] : []),
  ].join(", ");
}
