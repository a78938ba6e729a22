/** Whose tokens a client may exchange, as an operator sets it (docs/protocol.md §10). */
import { CLIENT_ID, TOKEN_EXCHANGE_GRANT } from "@daykey/common/protocol";
import type { ClientRegistration, ExchangeRights } from "./client.ts";

/** Stands for any subject, or any resource. */
const ANY = "*";

/**
 * Why a client cannot have these rights, or undefined. What it had before it may keep, so that what is switched
 * off or gone keeps nobody from changing the rest.
 * @param server.isOpen whether the grant type may be given
 * @param server.known the registered resources' URIs
 */
export function exchangeFault(
  { exchange, grantTypes, scopes: own }: ClientRegistration,
  {
    before,
    isOpen,
    known,
  }: { before: ClientRegistration | undefined; isOpen: boolean; known: readonly string[] },
): string | undefined {
  const hasGrantType = grantTypes.includes(TOKEN_EXCHANGE_GRANT);
  const hadGrantType = before?.grantTypes.includes(TOKEN_EXCHANGE_GRANT) === true;
  if (hasGrantType && !isOpen && !hadGrantType) {
    return `the grant type ${TOKEN_EXCHANGE_GRANT} is for servers with the setting TOKEN_EXCHANGE.`;
  }
  if (hasGrantType !== (exchange !== undefined)) {
    return `exchange and the grant type ${TOKEN_EXCHANGE_GRANT} need one another.`;
  }
  if (!exchange) return undefined;
  const { subjects, audiences, scopes = [] } = exchange;
  if (!subjects.every((id) => id === ANY || CLIENT_ID.test(id))) {
    return "exchange: subjects are client ids, or *.";
  }
  const taken = [ANY, ...known, ...(before?.exchange?.audiences ?? [])];
  if (!audiences.every((uri) => taken.includes(uri))) {
    return "exchange: audiences are registered resources, or *.";
  }
  return scopes.every((scope) => own.includes(scope))
    ? undefined
    : "exchange: scopes are some of the client's own.";
}

/**
 * Whether a token of this subject may be exchanged.
 * @param audience the resource that it is for; undefined for an issuer's assertion, which is for the server
 */
export function mayExchange(
  rights: ExchangeRights,
  { sub, audience }: { sub: string; audience: string | undefined },
): boolean {
  return (
    coversSubject(rights, sub) && (audience === undefined || covers(rights.audiences, audience))
  );
}

/** Whether it may act on behalf of this client at all. */
export const coversSubject = ({ subjects }: ExchangeRights, sub: string): boolean =>
  covers(subjects, sub);

const covers = (list: readonly string[], one: string): boolean =>
  list.includes(ANY) || list.includes(one);
