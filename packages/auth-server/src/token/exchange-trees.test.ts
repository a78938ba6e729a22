/**
 * Random trees of exchanges and ends, by the very rules of the server and over no network: each is held
 * against a model that knows parents, and nothing of claims.
 */
import type { AccessTokenClaims } from "@daykey/common/access-token";
import { OAuthError } from "@daykey/common/oauth-error";
import { createRevocationSet, type RevocationSet } from "@daykey/common/revocation";
import { expect, test } from "vitest";
import type { VerifiedClient } from "../clients/client.ts";
import { createReadRights } from "../issuer-access/liveness.ts";
import type { Authorization, AuthenticatedRequest } from "./grant-type.ts";
import { createTokenIssuer } from "./issuer.ts";
import { createOnBehalfOf } from "./on-behalf.ts";
import { uuidv7 } from "./random-ids.ts";

const TREES = 10_000;
const MOST_ABOVE = 5;
const SCOPES = ["a", "b", "c", "d"];
const RESOURCES = [
  { uri: "https://one.example.test", name: "", ownerClientId: undefined, scopes: ["a", "b", "c"] },
  { uri: "https://two.example.test", name: "", ownerClientId: undefined, scopes: ["b", "c", "d"] },
];
const resourceOf = (uri: string) => RESOURCES.find((resource) => resource.uri === uri);

type Dice = (n: number) => number;

/** Whole numbers from 0 to below n, the same in each run (mulberry32). */
function createDice(seed: number): Dice {
  let state = seed;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % n;
  };
}

const someOf = <T>(all: readonly T[], dice: Dice): T[] => {
  const some = all.filter(() => dice(6) > 0);
  return some.length > 0 ? some : all.slice(0, 1);
};
const oneOf = <T>(all: readonly T[], dice: Dice): T => all[dice(all.length)] as T;

/** A token as the model knows it. */
interface Node {
  parent: Node | undefined;
  holder: string;
  claims: AccessTokenClaims;
}

/** What was ended, as the model remembers it. */
interface Ends {
  grants: Set<string>;
  credentials: Set<string>;
}

class World {
  readonly nodes: Node[] = [];
  /** Exchanges that gave what they should not. */
  readonly wrong: string[] = [];
  readonly clients = new Map<string, VerifiedClient>();
  readonly ends: Ends = { grants: new Set(), credentials: new Set() };
  readonly #set: RevocationSet = createRevocationSet();
  readonly #dice: Dice;
  #now = 1_800_000_000;
  readonly #rights;
  readonly #onBehalf;
  readonly #issue;

  constructor(dice: Dice) {
    this.#dice = dice;
    for (const clientId of ["c0", "c1", "c2", "c3", "c4"]) this.#register(clientId);
    const clock = (): number => this.#now;
    const directory = {
      find: resourceOf,
      isOwner: () => false,
      all: () => RESOURCES,
      reload: async () => {},
    };
    const cache = {
      find: async (clientId: string) => ({ client: this.clients.get(clientId) }),
    } as unknown as Parameters<typeof createReadRights>[0]["cache"];
    this.#rights = createReadRights({
      cache,
      directory,
      clock,
      liveSet: { current: () => this.#set, ageSeconds: () => 0 } as unknown as Parameters<
        typeof createReadRights
      >[0]["liveSet"],
      rules: { isLive: () => false },
      maxLifeSeconds: 3600,
    });
    this.#onBehalf = createOnBehalfOf({
      readRights: this.#rights,
      cache,
      directory,
      clock,
      workloads: {
        admit: async () => ({ reason: "no_rule", isProven: false }),
        resourcesOf: () => undefined,
      },
      replays: { use: async () => true },
      limitNonces: async () => {},
      issuer: "https://auth.example.test",
    });
    this.#issue = createTokenIssuer({
      keys: { signingKey: () => ({ sign: JSON.stringify }) } as unknown as Parameters<
        typeof createTokenIssuer
      >[0]["keys"],
      clock,
      issuer: "https://auth.example.test",
      accessTokenSeconds: 600,
      accessTokenMaxSeconds: 3600,
    });
  }

  #register(clientId: string): void {
    const dice = this.#dice;
    const credential = "k0";
    const held: VerifiedClient["credentials"] = {
      has: (kid) => !this.ends.credentials.has(`${clientId} ${kid}`),
    };
    this.clients.set(clientId, {
      clientId,
      name: clientId,
      authMethods: [],
      grantTypes: [],
      scopes: someOf(SCOPES, dice),
      resources: someOf(RESOURCES, dice).map(({ uri }) => uri),
      accessTokenSeconds: 60 + dice(600),
      exchange: {
        subjects: dice(4) > 0 ? ["*"] : ["c0", "c1"],
        audiences: dice(4) > 0 ? ["*"] : [oneOf(RESOURCES, dice).uri],
        ...(dice(3) === 0 && { scopes: someOf(SCOPES, dice) }),
        impersonation: dice(4) === 0,
      },
      enabled: true,
      epoch: 0,
      credentials: held,
      credential,
    } as unknown as VerifiedClient);
  }

  client(clientId: string): VerifiedClient {
    return this.clients.get(clientId) as VerifiedClient;
  }

  #plant(client: VerifiedClient, uri: string, scope: readonly string[]): void {
    const grant = {
      id: uuidv7(this.#now),
      clientId: client.clientId,
      epoch: client.epoch,
      credential: client.credential,
      scope,
      resources: [uri],
      expiresAt: this.#now + 3600,
    };
    this.#add(undefined, { client, grant, resource: uri, scope, refresh: undefined });
  }

  #add(parent: Node | undefined, authorization: Authorization): void {
    const { tokens } = this.#issue(authorization);
    const claims = JSON.parse(tokens.access_token) as AccessTokenClaims;
    this.nodes.push({ parent, holder: authorization.client.clientId, claims });
  }

  /** One event. */
  async step(): Promise<void> {
    const dice = this.#dice;
    const client = this.client(`c${dice(5)}`);
    const which = dice(14);
    if (this.nodes.length === 0 || which === 0) {
      const uri = oneOf(client.resources, dice);
      const scope = client.scopes.filter((one) => resourceOf(uri)?.scopes.includes(one));
      if (client.enabled && scope.length > 0) this.#plant(client, uri, scope);
    } else if (which < 11) await this.#exchange(client);
    else if (which === 11) this.#now += dice(200);
    else this.#end(client);
  }

  async #exchange(client: VerifiedClient): Promise<void> {
    const dice = this.#dice;
    if (!client.enabled) return;
    // Half of them lead on, so that trees grow deep as well as wide.
    const [last] = this.nodes.slice(-1);
    const parent = last && dice(2) === 0 ? last : oneOf(this.nodes, dice);
    const asked = dice(4) > 0 ? undefined : someOf(SCOPES, dice);
    const { uri } = oneOf(RESOURCES, dice);
    const form = new Map([
      ["resource", uri],
      ...(asked ? [["scope", asked.join(" ")] as const] : []),
    ]);
    const request: AuthenticatedRequest = {
      client,
      form,
      confirmation: undefined,
      spend: async () => {},
      note: () => {},
    };
    const refuse = (reason: string): OAuthError => new OAuthError("invalid_request", reason);
    let authorization: Authorization | undefined;
    try {
      const subject = await this.#onBehalf.ofToken(
        { claims: parent.claims, kid: undefined },
        refuse,
      );
      authorization = this.#onBehalf.act(request, subject, form, refuse);
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error;
    }
    const allowed = this.mostBelow(parent, client, uri);
    const granted = asked ? (asked.every((one) => allowed.includes(one)) ? asked : []) : allowed;
    const [is, should] = [authorization?.scope ?? [], granted].map((list) =>
      list.toSorted().join(),
    );
    if (is !== should) this.wrong.push(`an exchange gave ${is}, not ${should}`);
    if (authorization) this.#add(parent, authorization);
  }

  #end(client: VerifiedClient): void {
    const dice = this.#dice;
    const { clientId } = client;
    const add = (kind: "grant" | "credential" | "client", subject: string, epoch?: number): void =>
      void this.#set.add({ kind, subject, epoch, expiresAt: undefined });
    const which = dice(12);
    if (which < 6) {
      const { gid } = oneOf(this.nodes, dice).claims;
      this.ends.grants.add(gid);
      add("grant", gid);
    } else if (which < 8) {
      client.epoch += 1;
      add("client", clientId, client.epoch);
    } else if (which === 8) {
      this.ends.credentials.add(`${clientId} ${client.credential}`);
      // What is asked next is proved by another.
      Object.assign(client, { credential: `k${this.ends.credentials.size}` });
    } else if (which === 9) client.enabled = !client.enabled;
    else client.scopes = someOf(SCOPES, dice);
  }

  /** The model: by parents alone. */
  isAlive(node: Node): boolean {
    const { client_id, gid, ep, cred, exp, aud } = node.claims;
    const client = this.client(client_id);
    return (
      exp > this.#now &&
      client.resources.includes(aud) &&
      this.#isOpen(client, { gid, ep, cred }) &&
      lineOf(node).every(({ holder, claims }) => this.#isOpen(this.client(holder), claims))
    );
  }

  #isOpen(
    client: VerifiedClient,
    { gid, ep, cred }: Pick<AccessTokenClaims, "gid" | "ep" | "cred">,
  ): boolean {
    return (
      client.enabled &&
      ep >= client.epoch &&
      !this.ends.credentials.has(`${client.clientId} ${cred}`) &&
      !this.ends.grants.has(gid)
    );
  }

  /** All that may come of a token, for an actor and a resource. */
  mostBelow(parent: Node, actor: VerifiedClient, uri: string): string[] {
    const { sub, aud, scope, client_id } = parent.claims;
    const { subjects = [], audiences = [], scopes = SCOPES } = actor.exchange ?? {};
    const subject = this.client(sub);
    const mayAct =
      this.isAlive(parent) &&
      (subjects.includes("*") || subjects.includes(sub)) &&
      (audiences.includes("*") || audiences.includes(aud)) &&
      lineOf(parent).length < MOST_ABOVE &&
      [actor, subject].every(({ resources }) => resources.includes(uri));
    if (!mayAct) return [];
    const limits = [
      scope.split(" "),
      resourceOf(aud)?.scopes ?? [],
      this.client(client_id).scopes,
      subject.scopes,
      scopes,
      actor.scopes,
      resourceOf(uri)?.scopes ?? [],
    ];
    return SCOPES.filter((one) => limits.every((limit) => limit.includes(one)));
  }

  async lives(node: Node): Promise<boolean> {
    return typeof (await this.#rights({ claims: node.claims, kid: undefined })) === "object";
  }
}

/** The tokens above, the nearest first. */
function lineOf({ parent }: Node): Node[] {
  return parent ? [parent, ...lineOf(parent)] : [];
}

function wrongIn(node: Node): string | undefined {
  const { parent, claims, holder } = node;
  const above = lineOf(node);
  if (claims.client_id !== holder) return "another holder";
  if (
    (claims.anc ?? []).map(({ gid }) => gid).join() !==
    above
      .map((one) => one.claims.gid)
      .toReversed()
      .join()
  ) {
    return "other ancestors";
  }
  if (above.length > MOST_ABOVE) return "deeper";
  if (!parent) return undefined;
  if (claims.sub !== parent.claims.sub) return "another subject";
  if (claims.exp > parent.claims.exp) return "longer";
  const held = parent.claims.scope.split(" ");
  return claims.scope.split(" ").every((one) => held.includes(one)) ? undefined : "wider";
}

test("E5: in 10,000 random trees no token lives that should not, none is wider, longer or deeper, and none dies for nothing", async () => {
  const dice = createDice(8693);
  const wrong: string[] = [];
  const seen = { alive: 0, dead: 0, exchanged: 0, deepest: 0 };
  for (let tree = 0; tree < TREES; tree++) {
    const world = new World(dice);
    for (let left = 4 + dice(20); left > 0; left--) await world.step();
    wrong.push(...world.wrong.map((what) => `${tree}: ${what}`));
    for (const node of world.nodes) {
      const [is, should] = [await world.lives(node), world.isAlive(node)];
      if (is !== should) wrong.push(`${tree}: ${is ? "lives" : "is dead"}`);
      const fault = wrongIn(node);
      if (fault !== undefined) wrong.push(`${tree}: ${fault}`);
      seen[is ? "alive" : "dead"]++;
      if (node.parent) seen.exchanged++;
      if (lineOf(node).length === MOST_ABOVE) seen.deepest++;
    }
  }
  expect(wrong.slice(0, 3)).toEqual([]);
  // The seed is fixed, so that these are too: each kind was met.
  expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(100);
});
