/**
 * The signature that a request asks for with `Accept-Signature` (RFC 9421 §5): over the answer, and over
 * the request it answers, with the nonce of the one who asks. A wish that cannot be met is left unmet, as
 * the RFC has it: who asks verifies, and finds no signature.
 */
import type { Clock } from "@daykey/common/clock";
import { formatContentDigest } from "@daykey/common/content-digest";
import { coveredBy, inputOf, signMessage } from "@daykey/common/http-signature";
import {
  HttpSignatureError,
  type RequestMessage,
  type ResponseMessage,
} from "@daykey/common/http-signature-base";
import { ANSWER_COMPONENTS } from "@daykey/common/signed-request";
import { type InnerList, isInnerList, parseDictionary } from "@daykey/common/structured-fields";
import { DIGESTS } from "../digests.ts";
import type { AnswerKey } from "./answer-key.ts";

export interface Answer {
  status: number;
  /** Its header, by name in lower case. */
  field(name: string): string | undefined;
  content: Uint8Array;
}

/** Fields for the answer, or why there are none: a short code for the log. */
export type Signed = { fields: Readonly<Record<string, string>> } | { unsigned: string };

const MAX_NONCE_LENGTH = 128;
const MAX_TAG_LENGTH = 64;

interface Wish {
  label: string;
  input: InnerList;
  nonce: string;
  tag: string | undefined;
}

/** @param wanted the value of `Accept-Signature` */
export async function signAnswer(
  wanted: string,
  {
    answer,
    request,
    key,
    clock,
  }: {
    answer: Answer;
    request: RequestMessage;
    key: AnswerKey;
    clock: Clock;
  },
): Promise<Signed> {
  const wish = readWish(wanted, key);
  if (typeof wish === "string") return { unsigned: wish };
  const digest = await formatContentDigest(DIGESTS, answer.content);
  const message: ResponseMessage = {
    status: answer.status,
    fields(name) {
      const value = name === "content-digest" ? digest : answer.field(name);
      return value === undefined ? undefined : [value];
    },
    request,
  };
  const { items, parameters } = inputOf(
    ANSWER_COMPONENTS.filter((name) => !coveredBy(wish.input).has(name)),
    {
      created: Math.floor(clock()),
      keyid: key.kid,
      alg: key.algorithm,
      nonce: wish.nonce,
      ...(wish.tag !== undefined && { tag: wish.tag }),
    },
  );
  // What was asked for, in that order, and what must be covered in any case.
  const input = { items: [...wish.input.items, ...items], parameters };
  try {
    const { label } = wish;
    const { signatureInput, signature } = await signMessage(message, {
      label,
      input,
      sign: key.sign,
    });
    return {
      fields: { "Content-Digest": digest, "Signature-Input": signatureInput, Signature: signature },
    };
  } catch (error) {
    if (error instanceof HttpSignatureError) return { unsigned: error.reason };
    throw error;
  }
}

/** The one signature that is asked for, or why it cannot be made. */
function readWish(wanted: string, key: AnswerKey): Wish | string {
  const [member, ...others] = parseDictionary(wanted) ?? [];
  if (!member || others.length > 0) return "not_one_wish";
  const [label, input] = member;
  if (!isInnerList(input)) return "malformed_wish";
  const wish = (name: string): unknown => input.parameters.get(name);
  const [nonce, tag, keyid, alg] = [wish("nonce"), wish("tag"), wish("keyid"), wish("alg")];
  if (typeof nonce !== "string" || nonce === "" || nonce.length > MAX_NONCE_LENGTH) {
    return "no_nonce";
  }
  if (tag !== undefined && (typeof tag !== "string" || tag.length > MAX_TAG_LENGTH)) {
    return "malformed_wish";
  }
  if ((keyid ?? key.kid) !== key.kid || (alg ?? key.algorithm) !== key.algorithm) {
    return "another_key";
  }
  return { label, input, nonce, tag };
}
