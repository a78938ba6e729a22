/**
 * The refresh token's bytes (docs/protocol.md §2): `dkr1.<key id>.<payload>.<tag>`. The tag is an
 * HMAC-SHA-256 over the issuer and all before the last dot: nothing here is secret from its client, it
 * only must not be forged. One value has one spelling: base64url is unpadded and canonical, and the
 * payload has no byte to spare.
 */
import type { Grant } from "../grants/grant.ts";
import { formatUuid, parseUuid } from "./random-ids.ts";

export interface RefreshToken {
  grant: Grant;
  /** Which refresh token of the grant this is, from 0. */
  seq: number;
  /** Whole epoch seconds. */
  issuedAt: number;
}

/** A token taken apart: its seal is not checked yet. */
export interface SealedRefreshToken {
  keyId: string;
  payload: Buffer;
  /** What the tag is computed over. */
  sealed: string;
  tag: Buffer;
}

/** A longer token cannot be ours. */
const MAX_LENGTH = 6000;
const PATTERN = /^(dkr1\.([a-z0-9]{8})\.([A-Za-z0-9_-]+))\.([A-Za-z0-9_-]{43})$/;

/** The tag of `input` (all before the last dot) under a MAC: the issuer is bound, so no other's fits. */
function sealInput(issuer: string, input: string): string {
  return `${issuer}\n${input}`;
}

export function formatRefreshToken(
  token: RefreshToken,
  key: { kid: string; mac(message: string): Buffer },
  issuer: string,
): string {
  const input = `dkr1.${key.kid}.${encodePayload(token).toString("base64url")}`;
  return `${input}.${key.mac(sealInput(issuer, input)).toString("base64url")}`;
}

/** The parts of a token, or undefined when it is not written exactly as one. */
export function splitRefreshToken(text: string, issuer: string): SealedRefreshToken | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const [, input = "", keyId = "", payloadText = "", tagText = ""] = PATTERN.exec(text) ?? [];
  const payload = Buffer.from(payloadText, "base64url");
  const tag = Buffer.from(tagText, "base64url");
  if (payload.length === 0 || payload.toString("base64url") !== payloadText) return undefined;
  if (tag.length !== 32 || tag.toString("base64url") !== tagText) return undefined;
  return { keyId, payload, sealed: sealInput(issuer, input), tag };
}

const VERSION = 1;

/** The table of docs/protocol.md §2: fixed part, then four length-prefixed texts. */
export function encodePayload({ grant, seq, issuedAt }: RefreshToken): Buffer {
  const fixed = Buffer.alloc(37);
  fixed.writeUInt8(VERSION, 0);
  parseUuid(grant.id).copy(fixed, 1);
  fixed.writeUInt32BE(seq, 17);
  fixed.writeUInt32BE(grant.epoch, 21);
  fixed.writeUIntBE(issuedAt, 25, 6);
  fixed.writeUIntBE(grant.expiresAt, 31, 6);
  return Buffer.concat([
    fixed,
    ...[grant.clientId, grant.credential, grant.scope.join(" "), grant.resources.join(" ")].map(
      encodeText,
    ),
  ]);
}

function encodeText(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** Reads what `encodePayload` wrote and the tag vouches for; undefined for another version. */
export function decodePayload(payload: Buffer): RefreshToken | undefined {
  if (payload.length < 37 || payload.readUInt8(0) !== VERSION) return undefined;
  const texts: string[] = [];
  for (let at = 37; at < payload.length;) {
    if (at + 2 > payload.length) return undefined;
    const end = at + 2 + payload.readUInt16BE(at);
    if (end > payload.length) return undefined;
    texts.push(payload.toString("utf8", at + 2, end));
    at = end;
  }
  const [clientId, credential, scope, resources] = texts;
  if (clientId === undefined || credential === undefined || texts.length !== 4) return undefined;
  if (scope === undefined || resources === undefined) return undefined;
  return {
    grant: {
      id: formatUuid(payload.subarray(1, 17)),
      clientId,
      epoch: payload.readUInt32BE(21),
      credential,
      scope: words(scope),
      resources: words(resources),
      expiresAt: payload.readUIntBE(31, 6),
    },
    seq: payload.readUInt32BE(17),
    issuedAt: payload.readUIntBE(25, 6),
  };
}

/** Neither scope tokens nor URIs hold a space. */
function words(text: string): string[] {
  return text === "" ? [] : text.split(" ");
}
