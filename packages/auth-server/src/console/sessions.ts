/**
 * Who is signed in, without a table: a link and a session are values sealed under the master key, so every
 * instance can read them and nobody else can make one. A session is an admin's rights of the moment at
 * which its link was asked for, and is held against the rights of now at each request.
 */
import { randomBytes, randomUUID, timingSafeEqual } from "node:crypto";
import type { AccessTokenClaims } from "@daykey/common/access-token";
import type { Clock } from "@daykey/common/clock";
import type { ReplayStore } from "../authentication/replay-store.ts";
import { ADMIN_SCOPE } from "../clients/client.ts";
import type { ReadRights } from "../issuer-access/liveness.ts";
import type { Sealer } from "../keys/sealing.ts";

/** How long a link works, unless it was used. */
const LINK_SECONDS = 60;
/** How long a session lives, used or not. */
export const SESSION_SECONDS = 8 * 3600;

/** A used value is remembered this much longer than it lives, as clocks differ. */
const MARGIN_SECONDS = 300;
/** A link holds less than 1 KiB. */
const MAX_SEALED_LENGTH = 2048;

/** What is sealed: the part of an access token's claims that its life hangs on. */
interface Held {
  id: string;
  clientId: string;
  ep: number;
  cred: string;
  gid: string;
  iat: number;
  exp: number;
}

export interface Session {
  /** The claims as of now. */
  rights: Readonly<AccessTokenClaims>;
  /** Stands in every form of the session. */
  formToken: string;
}

export interface Sessions {
  /** A link for an admin who has shown these rights just now. @returns its secret, and epoch seconds */
  offer(rights: Readonly<AccessTokenClaims>): { link: string; expiresAt: number };
  /** Who would be signed in by a link. Does not say whether it was used. */
  ownerOf(link: string): string | undefined;
  /** Uses a link up. @returns the value of the cookie; undefined for a link that is not good, or no more */
  enter(link: string): Promise<string | undefined>;
  /** @returns undefined for a cookie that is no session, has ended, or whose admin is none any more */
  read(cookie: string): Promise<Session | undefined>;
  /** Whether a form is sent for the first time, by any instance. @param once what stood in the form */
  isFirst(session: Session, once: string): Promise<boolean>;
}

export function createSessions({
  sealer,
  readRights,
  replays,
  issuer,
  clock,
}: {
  sealer: Sealer;
  /** With a longest life of `SESSION_SECONDS`. */
  readRights: ReadRights;
  replays: Pick<ReplayStore, "use">;
  issuer: string;
  clock: Clock;
}): Sessions {
  const seal = (held: Held, row: "link" | "session"): string =>
    sealer.seal(Buffer.from(JSON.stringify(held)), { table: "console", row }).toString("base64url");

  /** What this server sealed for that purpose and is not over. */
  function open(text: string, row: "link" | "session"): Held | undefined {
    if (text.length > MAX_SEALED_LENGTH || !/^[A-Za-z0-9_-]+$/.test(text)) return undefined;
    let held: Held;
    try {
      const opened = sealer.open(Buffer.from(text, "base64url"), { table: "console", row });
      held = JSON.parse(opened.toString()) as Held;
    } catch {
      return undefined;
    }
    return held.exp > clock() ? held : undefined;
  }

  async function rightsOf(held: Held): Promise<Readonly<AccessTokenClaims> | undefined> {
    const claims: AccessTokenClaims = {
      iss: issuer,
      sub: held.clientId,
      client_id: held.clientId,
      aud: issuer,
      iat: held.iat,
      exp: held.exp,
      jti: held.id,
      scope: ADMIN_SCOPE,
      gid: held.gid,
      ep: held.ep,
      cred: held.cred,
    };
    const rights = await readRights({ claims, kid: undefined });
    const isAdmin = typeof rights !== "string" && rights.scope === ADMIN_SCOPE;
    return isAdmin ? rights : undefined;
  }

  const use = async (clientId: string, kid: string, nonce: string, held: Times): Promise<boolean> =>
    replays.use({
      clientId,
      kid,
      nonce,
      issuedAt: held.iat,
      expiresAt: held.exp + MARGIN_SECONDS,
    });

  return {
    offer(rights) {
      const iat = Math.floor(clock());
      const exp = iat + LINK_SECONDS;
      const { client_id: clientId, ep, cred, gid } = rights;
      const held: Held = { id: newId(), clientId, ep, cred, gid, iat, exp };
      return { link: seal(held, "link"), expiresAt: exp };
    },

    ownerOf: (link) => open(link, "link")?.clientId,

    async enter(link) {
      const held = open(link, "link");
      if (!held || !(await rightsOf(held))) return undefined;
      if (!(await use(held.clientId, "console", held.id, held))) return undefined;
      const iat = Math.floor(clock());
      // A grant of its own: the end of a grant is remembered for less time than a session lives.
      const own = { id: newId(), gid: randomUUID(), iat, exp: iat + SESSION_SECONDS };
      return seal({ ...held, ...own }, "session");
    },

    async read(cookie) {
      const held = open(cookie, "session");
      const rights = held && (await rightsOf(held));
      return rights && { rights, formToken: rights.jti };
    },

    isFirst: async ({ rights }, once) => use(rights.client_id, "console-form", once, rights),
  };
}

type Times = Pick<AccessTokenClaims, "iat" | "exp">;

/** Random text for a form to be told from every other. */
export function newId(): string {
  return randomBytes(16).toString("base64url");
}

/** Whether a form carries its session's token. */
export function isFormOf(session: Session, token: string): boolean {
  const [wanted, had] = [Buffer.from(session.formToken), Buffer.from(token)];
  return wanted.length === had.length && timingSafeEqual(wanted, had);
}
