/** Trusted issuers and rules, and why a token is let in or not. */
import type { z } from "zod";
import type { issuerPage, issuerView, rulePage, ruleView } from "../admin/trust-schema.ts";
import type { explanationView } from "../admin/trust-rules.ts";
import type { View, Visit } from "./endpoint.ts";
import { html, type Html, type Part } from "./html.ts";
import {
  clientLink,
  empty,
  field,
  form,
  hidden,
  more,
  type Onward,
  type Page,
  table,
} from "./page.ts";
import type { Session } from "./sessions.ts";

type Rule = z.infer<typeof ruleView>;

export const trustPage: View = async ({ session, ask, query }) => {
  const { client_id: clientId = "", cursor = "" } = query;
  const [issuers, rules] = await Promise.all([
    ask<z.infer<typeof issuerPage>>("listTrustedIssuers", { query: { limit: "100" } }),
    ask<z.infer<typeof rulePage>>("listTrustRules", {
      query: { client_id: clientId, cursor, limit: "50" },
    }),
  ]);
  return {
    title: "Trust",
    content: html`<h1>Trust</h1>
      <p class="lead">Workloads that have an identity elsewhere get tokens without a secret.</p>
      <h2>Explain a token</h2>
      <p>
        What a workload's token would get here, and what each rule misses. The token is not kept and
        not logged.
      </p>
      ${explainForm(session, clientId)}
      <h2>Trusted issuers</h2>
      ${
        issuers.items.length === 0
          ? empty(html`None yet. <code>daykey trust issuers create</code> adds the first.`)
          : table(
              "By name",
              ["Name", "Issuer", "Keys", "State", ""],
              issuers.items.map((issuer) => [
                html`<bdi>${issuer.name}</bdi>`,
                html`<code>${issuer.iss}</code>`,
                issuer.key_source,
                issuer.enabled
                  ? html`<span class="tag">trusted</span>`
                  : html`<span class="tag bad">disabled</span>`,
                switchForm(session, {
                  action: `/console/trust/issuers/${encodeURIComponent(issuer.name)}`,
                  version: issuer.version,
                  isOn: issuer.enabled,
                  name: issuer.name,
                }),
              ]),
            )
      }
      <h2>Rules</h2>
      ${
        rules.items.length === 0
          ? empty(
              html`None${clientId !== "" && " for this client"}.
                <code>daykey trust rules create</code> adds one.`,
            )
          : table(
              "By name",
              ["Rule", "Issuer", "Client", "Conditions", "State", ""],
              rules.items.map((rule) => [
                html`<bdi>${rule.name}</bdi>`,
                html`<bdi>${rule.issuer}</bdi>`,
                clientLink(rule.client_id),
                conditionsOf(rule),
                html`<span class="tag ${rule.state === "enabled" ? "" : "warn"}"
                  >${rule.state.replace("_", " ")}</span
                >`,
                switchForm(session, {
                  action: `/console/trust/rules/${encodeURIComponent(rule.name)}`,
                  version: rule.version,
                  isOn: rule.state === "enabled",
                  name: rule.name,
                }),
              ]),
            )
      }
      ${more("/console/trust", { client_id: clientId }, rules.next_cursor)}`,
  };
};

function explainForm(session: Session, clientId: string): Html {
  return form(session, {
    action: "/console/trust/explain",
    button: "Explain",
    look: "quiet",
    fields: html`<div class="filters narrow">
      <div class="grow">
        <label for="f-token">Token</label
        ><input
          class="wide"
          id="f-token"
          name="token"
          type="password"
          autocomplete="off"
          spellcheck="false"
          required
        />
      </div>
      ${field("client_id", "Only as this client", { value: clientId })}
    </div> `,
  });
}

function switchForm(
  session: Session,
  { action, version, isOn, name }: { action: string; version: number; isOn: boolean; name: string },
): Html {
  const verb = isOn ? "Disable" : "Enable";
  return form(session, {
    action,
    button: verb,
    look: "link",
    label: `${verb} ${name}`,
    fields: html`${hidden("version", String(version))}${hidden("on", String(!isOn))}`,
  });
}

function conditionsOf({ conditions }: Rule): Part {
  return conditions.map(
    ({ claim, one_of: oneOf, glob }) =>
      html`<div>
        <code>${claim}</code> ${glob === undefined ? "is" : "like"}
        <code>${glob ?? oneOf?.join(" or ")}</code>
      </div>`,
  );
}

export async function switchIssuer({ ask, params, fields }: Visit): Promise<Onward> {
  const issuer = await ask<z.infer<typeof issuerView>>("readTrustedIssuer", { params });
  const { etag: _now, ...body } = issuer;
  await ask("replaceTrustedIssuer", {
    params,
    ifMatch: seenTag(fields),
    body: { ...body, enabled: fields["on"] === "true" },
  });
  return { to: "/console/trust" };
}

export async function switchRule({ ask, params, fields }: Visit): Promise<Onward> {
  const rule = await ask<Rule>("readTrustRule", { params });
  const { etag: _now, ...body } = rule;
  await ask("replaceTrustRule", {
    params,
    ifMatch: seenTag(fields),
    body: { ...body, state: fields["on"] === "true" ? "enabled" : "disabled" },
  });
  return { to: "/console/trust" };
}

/** The entity tag of what the page showed. */
function seenTag({ version = "" }: Visit["fields"]): string {
  return `"${/^\d{1,15}$/.test(version) ? version : ""}"`;
}

export async function explainToken({ session, ask, fields }: Visit): Promise<Page> {
  const { token = "", client_id: clientId } = fields;
  const told = await ask<z.infer<typeof explanationView>>("explainTrust", {
    body: { token: token.trim(), client_id: clientId },
  });
  return {
    title: "Explanation",
    content: html`<h1>${told.result ? "It would be let in" : "It would be refused"}</h1>
      ${
        told.result
          ? html`<div class="note">
              <p>
                By the rule <bdi>${told.result.rule}</bdi>, as ${clientLink(told.result.client_id)},
                with <code>${told.result.scopes.join(" ")}</code> for
                ${told.result.access_token_seconds} s.
              </p>
            </div>`
          : html`<div class="note warn">
              <p>
                ${told.issuer === null ? "No trusted issuer signed it." : html`Its issuer is <bdi>${told.issuer}</bdi>.`}
              </p>
              ${told.refused !== null && html`<p>The reason, as the log names it: <code>${told.refused}</code></p>`}
            </div>`
      }
      <h2>Rule by rule</h2>
      ${
        told.rules.length === 0
          ? empty("No rule was looked at.")
          : table(
              "The first condition that each rule misses",
              ["Rule", "Client", "State", "Misses"],
              told.rules.map((rule) => [
                html`<bdi>${rule.rule}</bdi>`,
                clientLink(rule.client_id),
                rule.state.replace("_", " "),
                rule.unmet === null
                  ? "nothing"
                  : html`<code>${rule.unmet.claim}</code> must be <code>${rule.unmet.wanted}</code>;
                      the token has <code>${rule.unmet.found}</code>`,
              ]),
            )
      }
      <h2>Another token</h2>
      ${explainForm(session, clientId ?? "")}`,
  };
}
