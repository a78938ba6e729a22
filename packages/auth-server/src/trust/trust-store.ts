/** Trusted issuers and rules as an operator changes them, and whole, as each instance holds them. */
import type { Database, Queryable } from "@daykey/service/database/database";
import { changeAlone } from "../changes/changes-store.ts";
import { tellCredentialsEnded } from "../clients/credential-ended-store.ts";
import { hasClient } from "../clients/clients-store.ts";
import { randomKid } from "../random-kid.ts";
import { toRowUri } from "../resources/resources-store.ts";
import { compileRule, credOf, isNoNarrower, type Rule, type RuleRegistration } from "./rule.ts";
import { mostAlike } from "./rule-index.ts";
import {
  ISSUER,
  type IssuerRow,
  issuerOf,
  issuerValues,
  RULE,
  type RuleRow,
  ruleOf,
} from "./trust-rows.ts";
import { type IssuerRegistration, isNoStricter, type TrustedIssuer } from "./trusted-issuer.ts";

/** One page of a list, by name. */
interface Page {
  limit: number;
  /** The name that the page before ended with. */
  after: string | undefined;
}

/** Undefined without such a one. `record` comes last in the transaction of each change. */
export interface TrustStore {
  /** All there is, in one snapshot. */
  readAll(): Promise<{ issuers: TrustedIssuer[]; rules: Rule[] }>;
  listIssuers(page: Page): Promise<TrustedIssuer[]>;
  readIssuer(name: string): Promise<TrustedIssuer | undefined>;
  /** "exists": the name or the `iss` is another issuer's. "full": there are `MAX_ISSUERS`. */
  createIssuer(
    issuer: IssuerRegistration,
    record: (tx: Queryable, after: TrustedIssuer) => Promise<void>,
  ): Promise<TrustedIssuer | "exists" | "full">;
  /**
   * Replaces an issuer by what `decide` makes of it, undefined for no change. When a token that counted
   * before might not count now, the tokens of all its rules end.
   * @throws what `decide` throws
   */
  changeIssuer(
    name: string,
    decide: (before: TrustedIssuer) => IssuerRegistration | undefined,
    record: (tx: Queryable, before: TrustedIssuer, after: TrustedIssuer) => Promise<void>,
  ): Promise<TrustedIssuer | undefined>;
  /** Ends the tokens of its rules and removes these too. @param check throws to keep it */
  removeIssuer(
    name: string,
    check: (before: TrustedIssuer) => void,
    record: (tx: Queryable, before: TrustedIssuer, rules: readonly string[]) => Promise<void>,
  ): Promise<boolean>;
  listRules(
    page: Page & { issuer: string | undefined; clientId: string | undefined },
  ): Promise<Rule[]>;
  readRule(name: string): Promise<Rule | undefined>;
  /** "full": the issuer has `MAX_RULES`. "alike": too many of them could fit the same token. */
  createRule(
    rule: RuleRegistration,
    record: (tx: Queryable, after: Rule) => Promise<void>,
  ): Promise<Rule | RuleFault | "exists" | "full" | "alike">;
  /** As `changeIssuer`, and "alike" as above; when the rule might let in less than before, its tokens end. */
  changeRule(
    name: string,
    decide: (before: Rule) => RuleRegistration | undefined,
    record: (tx: Queryable, before: Rule, after: Rule) => Promise<void>,
  ): Promise<Rule | RuleFault | "alike" | undefined>;
  /** Ends its tokens. @param check throws to keep it */
  removeRule(
    name: string,
    check: (before: Rule) => void,
    record: (tx: Queryable, before: Rule) => Promise<void>,
  ): Promise<boolean>;
}

export type RuleFault = "no_issuer" | "no_client";

export const MAX_ISSUERS = 100;
/** One issuer has no more. */
export const MAX_RULES = 1000;
/** No more of them could fit one token, as each of those is tried. */
export const MAX_ALIKE_RULES = 100;

/** What an earlier version let be stays, and may become no worse. */
function areTooAlike(
  after: readonly RuleRegistration[],
  before: readonly RuleRegistration[],
): boolean {
  const alike = (rules: readonly RuleRegistration[]): number =>
    mostAlike(rules.filter(({ state }) => state !== "disabled").map(compileRule));
  const most = alike(after);
  return most > MAX_ALIKE_RULES && most > alike(before);
}

export function createTrustStore(
  database: Database,
  { issuer: ownIssuer, newsSeconds }: { issuer: string; newsSeconds: number },
): TrustStore {
  const toRule = (row: RuleRow): Rule => ruleOf(row, ownIssuer);

  async function issuerRow(queryable: Queryable, name: string) {
    const { rows } = await queryable.query<IssuerRow>({
      text: `select ${ISSUER} from daykey.trusted_issuers where name = $1`,
      values: [name],
    });
    return rows[0] && issuerOf(rows[0]);
  }

  async function ruleRow(queryable: Queryable, name: string) {
    const { rows } = await queryable.query<RuleRow>({
      text: `select ${RULE} from daykey.trust_rules where name = $1`,
      values: [name],
    });
    return rows[0] && toRule(rows[0]);
  }

  const tell = async (tx: Queryable, rules: readonly Rule[]): Promise<void> =>
    tellCredentialsEnded(
      tx,
      rules.map(({ clientId, cred: kid }) => ({ clientId, kid })),
      newsSeconds,
    );

  async function rulesOf(tx: Queryable, issuer: string): Promise<Rule[]> {
    const { rows } = await tx.query<RuleRow>({
      text: `select ${RULE} from daykey.trust_rules where issuer = $1 order by name`,
      values: [issuer],
    });
    return rows.map(toRule);
  }

  async function ruleFault(
    tx: Queryable,
    { issuer, clientId }: RuleRegistration,
  ): Promise<RuleFault | undefined> {
    if (!(await issuerRow(tx, issuer))) return "no_issuer";
    return (await hasClient(tx, clientId)) ? undefined : "no_client";
  }

  const ruleValues = (rule: RuleRegistration, cred: string): unknown[] => [
    rule.name,
    rule.issuer,
    rule.clientId,
    rule.state,
    JSON.stringify(rule.conditions),
    rule.scopes ?? null,
    rule.resources?.map((uri) => toRowUri(uri, ownIssuer)) ?? null,
    rule.accessTokenSeconds ?? null,
    cred,
    rule.ext ? JSON.stringify(rule.ext) : null,
  ];

  return {
    async readAll() {
      const { rows } = await database.query<{ issuers: IssuerRow[]; rules: RuleRow[] }>({
        name: "all-trust",
        text: `select
            coalesce((select json_agg(i) from (select ${ISSUER} from daykey.trusted_issuers) i), '[]') as issuers,
            coalesce((select json_agg(r) from (select ${RULE} from daykey.trust_rules order by name) r), '[]') as rules`,
      });
      const [all] = rows;
      return {
        issuers: (all?.issuers ?? []).map(issuerOf),
        rules: (all?.rules ?? []).map(toRule),
      };
    },

    async listIssuers({ limit, after }) {
      const { rows } = await database.query<IssuerRow>({
        text: `select ${ISSUER} from daykey.trusted_issuers where name > $1 order by name limit $2`,
        values: [after ?? "", limit],
      });
      return rows.map(issuerOf);
    },

    readIssuer: async (name) => issuerRow(database, name),

    async createIssuer(issuer, record) {
      return changeAlone(database, async (tx) => {
        const { rows: count } = await tx.query<{ count: number }>({
          text: "select count(*)::int as count from daykey.trusted_issuers",
        });
        if ((count[0]?.count ?? 0) >= MAX_ISSUERS) return "full";
        const { rows } = await tx.query<IssuerRow>({
          text: `insert into daykey.trusted_issuers (name, iss, enabled, key_source, keys_uri, jwks,
                   algorithms, max_age_seconds, audiences, reusable)
                 values ($1, $2, $3, $4, $5, $6::jsonb, $7, $8, $9, $10)
                 on conflict do nothing returning ${ISSUER}`,
          values: issuerValues(issuer),
        });
        if (!rows[0]) return "exists";
        const after = issuerOf(rows[0]);
        await record(tx, after);
        return after;
      });
    },

    async changeIssuer(name, decide, record) {
      return changeAlone(database, async (tx) => {
        const before = await issuerRow(tx, name);
        const wanted = before && decide(before);
        if (!before || !wanted) return before;
        const { rows } = await tx.query<IssuerRow>({
          text: `update daykey.trusted_issuers set enabled = $3, key_source = $4, keys_uri = $5,
                   jwks = $6::jsonb, algorithms = $7, max_age_seconds = $8, audiences = $9,
                   reusable = $10, version = version + 1, updated_at = now()
                 where name = $1 and iss = $2 returning ${ISSUER}`,
          values: issuerValues({ ...wanted, name, iss: before.iss }),
        });
        if (!rows[0]) throw new Error("a locked row vanished");
        const after = issuerOf(rows[0]);
        if (!isNoStricter(after, before)) {
          const rules = await rulesOf(tx, name);
          await tell(tx, rules);
          await tx.query({
            text: `update daykey.trust_rules set cred = ended.cred
                   from unnest($1::text[], $2::text[]) as ended (name, cred)
                   where trust_rules.name = ended.name`,
            values: [
              rules.map((rule) => rule.name),
              rules.map((rule) => credOf(rule.name, randomKid())),
            ],
          });
        }
        await record(tx, before, after);
        return after;
      });
    },

    async removeIssuer(name, check, record) {
      return changeAlone(database, async (tx) => {
        const before = await issuerRow(tx, name);
        if (!before) return false;
        check(before);
        const rules = await rulesOf(tx, name);
        await tell(tx, rules);
        await tx.query({
          text: "delete from daykey.trust_rules where issuer = $1",
          values: [name],
        });
        await tx.query({
          text: "delete from daykey.trusted_issuers where name = $1",
          values: [name],
        });
        await record(
          tx,
          before,
          rules.map((rule) => rule.name),
        );
        return true;
      });
    },

    async listRules({ limit, after, issuer, clientId }) {
      const { rows } = await database.query<RuleRow>({
        text: `select ${RULE} from daykey.trust_rules
               where name > $1 and ($2::text is null or issuer = $2)
                 and ($3::text is null or client_id = $3)
               order by name limit $4`,
        values: [after ?? "", issuer ?? null, clientId ?? null, limit],
      });
      return rows.map(toRule);
    },

    readRule: async (name) => ruleRow(database, name),

    async createRule(rule, record) {
      return changeAlone(database, async (tx) => {
        const fault = await ruleFault(tx, rule);
        if (fault) return fault;
        const others = await rulesOf(tx, rule.issuer);
        if (others.length >= MAX_RULES) return "full";
        if (areTooAlike([...others, rule], others)) return "alike";
        const { rows } = await tx.query<RuleRow>({
          text: `insert into daykey.trust_rules (name, issuer, client_id, state, conditions, scopes,
                   resources, access_token_seconds, cred, ext)
                 values ($1, $2, $3, $4, $5::jsonb, $6, $7, $8, $9, $10::json)
                 on conflict do nothing returning ${RULE}`,
          values: ruleValues(rule, credOf(rule.name, randomKid())),
        });
        if (!rows[0]) return "exists";
        const after = toRule(rows[0]);
        await record(tx, after);
        return after;
      });
    },

    async changeRule(name, decide, record) {
      return changeAlone(database, async (tx) => {
        const before = await ruleRow(tx, name);
        const wanted = before && decide(before);
        if (!before || !wanted) return before;
        const fault = await ruleFault(tx, wanted);
        if (fault) return fault;
        const all = await rulesOf(tx, wanted.issuer);
        const others = all.filter((each) => each.name !== name);
        if (areTooAlike([...others, wanted], all)) return "alike";
        const isKept = isNoNarrower(wanted, before);
        if (!isKept) await tell(tx, [before]);
        const { rows } = await tx.query<RuleRow>({
          text: `update daykey.trust_rules set issuer = $2, client_id = $3, state = $4,
                   conditions = $5::jsonb, scopes = $6, resources = $7, access_token_seconds = $8,
                   cred = $9, ext = $10::json, version = version + 1, updated_at = now()
                 where name = $1 returning ${RULE}`,
          values: ruleValues({ ...wanted, name }, isKept ? before.cred : credOf(name, randomKid())),
        });
        if (!rows[0]) throw new Error("a locked row vanished");
        const after = toRule(rows[0]);
        await record(tx, before, after);
        return after;
      });
    },

    async removeRule(name, check, record) {
      return changeAlone(database, async (tx) => {
        const before = await ruleRow(tx, name);
        if (!before) return false;
        check(before);
        await tell(tx, [before]);
        await tx.query({ text: "delete from daykey.trust_rules where name = $1", values: [name] });
        await record(tx, before);
        return true;
      });
    },
  };
}
