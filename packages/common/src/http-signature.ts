/**
 * HTTP message signatures (RFC 9421) as pure rules: `Signature-Input` and `Signature` read and written,
 * and what is signed (`http-signature-base.ts`). Servers and the SDK give the cryptography; nothing here
 * decides whether a signature is good enough for anything.
 */
import { utf8 } from "./bytes.ts";
import { type RequestMessage, type ResponseMessage, signatureBase } from "./http-signature-base.ts";
import {
  type BareItem,
  type InnerList,
  isInnerList,
  type Item,
  parseDictionary,
  serializeDictionary,
} from "./structured-fields.ts";

/** Keys of clients have one of the first two, a resource-server's answers one of the last two. */
export type HttpSignatureAlgorithm = "hmac-sha256" | "ed25519" | "ecdsa-p256-sha256";

/** The signature parameters of RFC 9421 §2.3; times are whole epoch seconds. */
export interface SignatureParameters {
  created?: number;
  expires?: number;
  nonce?: string;
  alg?: string;
  keyid?: string;
  tag?: string;
}

/** One signature of a message. */
export interface MessageSignature {
  label: string;
  /** The components that are covered, with the parameters. */
  input: InnerList;
  parameters: SignatureParameters;
  signature: Uint8Array;
}

/** Signs bytes with a key. */
export type SignBytes = (data: Uint8Array) => Uint8Array | Promise<Uint8Array>;

const PARAMETER_TYPES = {
  created: "number",
  expires: "number",
  nonce: "string",
  alg: "string",
  keyid: "string",
  tag: "string",
} as const satisfies Record<keyof SignatureParameters, string>;

/**
 * The signatures in the two fields, or undefined when these are not dictionaries with the same labels,
 * inner lists of strings on one side and bytes on the other.
 */
export function readSignatures(
  signatureInput: string,
  signature: string,
): MessageSignature[] | undefined {
  const inputs = parseDictionary(signatureInput);
  const values = parseDictionary(signature);
  if (!inputs || !values || inputs.size !== values.size) return undefined;
  const signatures: MessageSignature[] = [];
  for (const [label, input] of inputs) {
    const member = values.get(label);
    if (!isInnerList(input) || member === undefined || isInnerList(member)) return undefined;
    const parameters = readParameters(input);
    if (!parameters || !(member.value instanceof Uint8Array)) return undefined;
    signatures.push({ label, input, parameters, signature: member.value });
  }
  return signatures;
}

/** A parameter that the RFC does not have makes no difference: it is signed like the others. */
function readParameters({ items, parameters }: InnerList): SignatureParameters | undefined {
  if (!items.every(({ value }) => typeof value === "string")) return undefined;
  const known = Object.entries(PARAMETER_TYPES).map(
    ([name, type]) => [name, parameters.get(name), type] as const,
  );
  const present = known.filter(([, value]) => value !== undefined);
  if (!present.every(([, value, type]) => typeof value === type)) return undefined;
  return Object.fromEntries(present) as SignatureParameters;
}

/** What a signature is to cover: `@method`, `content-type`, and with `;req` of the request answered. */
export type ComponentName = string;

export function inputOf(
  components: readonly ComponentName[],
  parameters: SignatureParameters,
): InnerList {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined);
  return {
    items: components.map(componentOf),
    parameters: new Map<string, BareItem>(given as [string, BareItem][]),
  };
}

function componentOf(component: ComponentName): Item {
  const [name = "", req] = component.split(";");
  return { value: name, parameters: new Map(req === "req" ? [["req", true]] : []) };
}

/** The components that are covered whole, as `ComponentName`s: what a rule can ask for. */
export function coveredBy({ items }: InnerList): ReadonlySet<ComponentName> {
  const names = new Set<ComponentName>();
  for (const { value, parameters } of items) {
    const isOfRequest = parameters.size === 1 && parameters.get("req") === true;
    if (typeof value !== "string" || (parameters.size > 0 && !isOfRequest)) continue;
    names.add(isOfRequest ? `${value};req` : value);
  }
  return names;
}

/** The bytes that are signed. @throws {HttpSignatureError} */
export function bytesToSign(
  message: RequestMessage | ResponseMessage,
  input: InnerList,
): Uint8Array<ArrayBuffer> {
  return utf8(signatureBase(message, input));
}

/**
 * The two fields for a message (RFC 9421 §3.1).
 * @throws {HttpSignatureError} when the message lacks what is to be covered
 */
export async function signMessage(
  message: RequestMessage | ResponseMessage,
  { label, input, sign }: { label: string; input: InnerList; sign: SignBytes },
): Promise<{ signatureInput: string; signature: string }> {
  const value = await sign(bytesToSign(message, input));
  return {
    signatureInput: serializeDictionary(new Map([[label, input]])),
    signature: serializeDictionary(new Map([[label, { value, parameters: new Map() }]])),
  };
}
