/** Which credential a request presents: exactly one (RFC 6749 §2.3), whatever it is worth. */
import type { ClientCertificate } from "@daykey/common/client-certificate";
import { isTyped } from "@daykey/common/jws";
import { OAuthError } from "@daykey/common/oauth-error";
import {
  ASSERTION_TYPE,
  ID_JAG_TYP,
  JWT_BEARER_GRANT,
  SPIFFE_ASSERTION_TYPE,
} from "@daykey/common/protocol";
import type { JwtAssertion } from "./client-assertion.ts";
import type { WorkloadCredential, WorkloadDoor, Workloads } from "./workload.ts";

/** What came, unchecked. */
export type Credential = ClientCredential | WorkloadCredential;

/** What a client has of its own. */
export type ClientCredential = SecretCredential | AssertionCredential | CertificateCredential;

/** `client_secret_hash` is ours; the others are RFC 6749 §2.3.1. */
export interface SecretCredential {
  via: "client_secret_basic" | "client_secret_post" | "client_secret_hash";
  clientId: string;
  /** The secret, or its hash. */
  value: string;
}

/** RFC 7523 §2.2. */
export interface AssertionCredential {
  via: "private_key_jwt";
  clientId: string;
  /** Undefined when it is not written as one. */
  assertion: JwtAssertion | undefined;
}

/** RFC 8705 §2: the id in the form, and a certificate whose key the client has proved to hold. */
export interface CertificateCredential {
  via: "tls";
  clientId: string;
  certificate: ClientCertificate;
}

/** Reads the assertion in a parameter. Undefined: it is not written as one. */
export type ParseAssertion = (text: string) => JwtAssertion | undefined;

/** Whose assertions are taken, and what reads them. */
interface Doors extends Pick<Workloads, "isOpenToSpiffe" | "knows"> {
  /** Whether an ID-JAG is taken. It is a grant alone, beside which its client proves itself. */
  isOpenToIdJag: boolean;
  /** `private_key_jwt` and workloads need it; nothing else does. */
  parse: ParseAssertion;
  /** What the connection shows. Beside another credential it is none: tokens may be bound to it. */
  certificate: ClientCertificate | undefined;
}

/** Parameters that carry a credential; none is ever taken from a URL. */
export const CREDENTIAL_PARAMETERS = [
  "client_secret",
  "client_secret_hash",
  "client_assertion",
  "client_assertion_type",
  "assertion",
  "refresh_token",
  "subject_token",
  "actor_token",
] as const;

/**
 * @param authorization the Authorization header, if any
 * @throws {OAuthError} invalid_request for more than one credential or two client ids;
 *   invalid_client for none, or one of an unknown kind
 */
export function readCredential(
  form: ReadonlyMap<string, string>,
  authorization: string | undefined,
  doors: Doors,
): Credential {
  const secret = form.get("client_secret");
  const hash = form.get("client_secret_hash");
  const assertion = form.get("client_assertion");
  const grant = assertionAsGrant(form, doors);
  const presented = [authorization, secret, hash, assertion, grant].filter(
    (part) => part !== undefined,
  );
  if (presented.length > 1) {
    throw new OAuthError("invalid_request", "Use exactly one way of client authentication.", {
      detail: "several_credentials",
    });
  }
  const clientId = form.get("client_id");
  if (authorization !== undefined) {
    const credential = readBasic(authorization);
    if (!credential) throw noCredential("unreadable_authorization_header");
    if (clientId !== undefined && clientId !== credential.clientId) {
      throw new OAuthError(
        "invalid_request",
        "The client_id differs from the Authorization header's.",
        {
          detail: "two_client_ids",
        },
      );
    }
    return credential;
  }
  if (grant !== undefined) return ofWorkload("grant", doors.parse(grant), clientId);
  if (assertion !== undefined) {
    const type = form.get("client_assertion_type");
    const read = doors.parse(assertion);
    if (type === SPIFFE_ASSERTION_TYPE && doors.isOpenToSpiffe()) {
      return ofWorkload("jwt_spiffe", read, clientId);
    }
    if (type !== ASSERTION_TYPE) throw noCredential("unknown_method");
    return readAssertion(read, clientId, doors.knows);
  }
  if (clientId === undefined) throw noCredential("no_client_id");
  if (secret !== undefined) return { via: "client_secret_post", clientId, value: secret };
  if (hash !== undefined) return { via: "client_secret_hash", clientId, value: hash };
  if (doors.certificate) return { via: "tls", clientId, certificate: doors.certificate };
  throw noCredential("no_credential");
}

/** The assertion that is grant and authentication in one. */
function assertionAsGrant(
  form: ReadonlyMap<string, string>,
  { isOpenToIdJag, parse }: Doors,
): string | undefined {
  const text = form.get("grant_type") === JWT_BEARER_GRANT ? form.get("assertion") : undefined;
  const isIdJag = isOpenToIdJag && text !== undefined && isTyped(parse(text)?.typ, ID_JAG_TYP);
  return isIdJag ? undefined : text;
}

function ofWorkload(
  door: WorkloadDoor,
  assertion: JwtAssertion | undefined,
  clientId: string | undefined,
): WorkloadCredential {
  return { via: "workload", door, clientId, assertion };
}

/**
 * A trusted issuer's, or the client's own. The subject of its own is the client; a `client_id` beside it is
 * not needed, but must agree (RFC 7521 §4.2).
 */
function readAssertion(
  assertion: JwtAssertion | undefined,
  clientId: string | undefined,
  isTrusted: (iss: string) => boolean,
): AssertionCredential | WorkloadCredential {
  if (assertion?.issuer !== undefined && isTrusted(assertion.issuer)) {
    return ofWorkload("client_assertion", assertion, clientId);
  }
  const subject = assertion?.subject;
  if (clientId !== undefined && subject !== undefined && clientId !== subject) {
    throw new OAuthError("invalid_request", "The client_id differs from the assertion's.", {
      detail: "two_client_ids",
    });
  }
  return { via: "private_key_jwt", clientId: clientId ?? subject ?? "", assertion };
}

function noCredential(detail: string): OAuthError {
  return new OAuthError("invalid_client", "Client authentication failed.", { detail });
}

const BASIC = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i;

/** RFC 7617, with id and secret form-encoded as RFC 6749 §2.3.1 wants; curl's raw ones read the same. */
function readBasic(authorization: string): SecretCredential | undefined {
  const encoded = BASIC.exec(authorization)?.[1];
  if (encoded === undefined) return undefined;
  const decoded = Buffer.from(encoded, "base64").toString("latin1");
  const colon = decoded.indexOf(":");
  if (colon < 0) return undefined;
  const clientId = formDecode(decoded.slice(0, colon));
  const value = formDecode(decoded.slice(colon + 1));
  if (clientId === undefined || value === undefined) return undefined;
  return { via: "client_secret_basic", clientId, value };
}

function formDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}
