/** `daykey import`: clients of other servers come along with their secrets, and what cannot is said. */
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CommandLine, startCommandLine } from "../test/daykey.ts";

let line: CommandLine;
beforeAll(async () => {
  line = await startCommandLine();
});
afterAll(() => line.stop());

const KEYCLOAK_SECRET = "Ds7fG2kP9qLm4XzR1tYw8VbN3cHj6Ka0";
const HYDRA_SECRET = "k3.~Tz_9-QmXb2LwRd7YhVn4Fc";
const AUTH0_SECRET = "aB3_dE6-gH9jK2mN5pQ8sT1vW4xY7zA0cD3fG6hJ9kL2nP5qS8tV1wX4yZ7bC0eF";
const API = "https://api.example.com";

/** Members of a realm export of Keycloak, of Hydra's answer with a secret, and of Auth0's two lists. */
const EXPORTS = {
  keycloak: {
    realm: "shop",
    clients: [
      {
        clientId: "kc-billing",
        name: "Billing",
        enabled: true,
        clientAuthenticatorType: "client-secret",
        secret: KEYCLOAK_SECRET,
        serviceAccountsEnabled: true,
        standardFlowEnabled: true,
        publicClient: false,
        attributes: { "access.token.lifespan": "300" },
        defaultClientScopes: ["profile", "orders:read"],
        protocolMappers: [
          {
            name: "audience",
            protocolMapper: "oidc-audience-mapper",
            config: { "included.custom.audience": API },
          },
          { name: "tenant", protocolMapper: "oidc-hardcoded-claim-mapper", config: {} },
        ],
      },
      { clientId: "account", publicClient: true, standardFlowEnabled: true },
      { clientId: "kc-masked", secret: "**********", serviceAccountsEnabled: true },
    ],
  },
  hydra: [
    {
      client_id: "hydra-billing",
      client_name: "",
      client_secret: HYDRA_SECRET,
      grant_types: ["client_credentials", "refresh_token"],
      scope: "openid orders:read",
      audience: [API],
      token_endpoint_auth_method: "client_secret_basic",
      client_credentials_grant_access_token_lifespan: "10m0s",
      jwks: {},
      metadata: {},
    },
    {
      client_id: "hydra-hashed",
      client_secret: "$pbkdf2-sha256$i=25000,l=32$c2FsdHNhbHRzYWx0$aGFzaGhhc2g",
      grant_types: ["client_credentials"],
      scope: "orders:read",
      token_endpoint_auth_method: "client_secret_post",
    },
  ],
  auth0: {
    clients: [
      {
        client_id: "auth0Billing",
        name: "Billing",
        client_secret: AUTH0_SECRET,
        grant_types: ["client_credentials"],
        token_endpoint_auth_method: "client_secret_post",
      },
    ],
    client_grants: [{ client_id: "auth0Billing", audience: API, scope: ["orders:read"] }],
  },
};

async function ask(id: string, secret: string): Promise<number> {
  const response = await fetch(`${line.issuer}/oauth2/token`, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}` },
    body: new URLSearchParams({ grant_type: "client_credentials" }),
  });
  await response.text();
  return response.status;
}

test.each([
  [
    "keycloak",
    "kc-billing",
    KEYCLOAK_SECRET,
    ["kc-masked"],
    [
      "kc-billing: signing in people",
      "kc-billing: 1 mappers of claims",
      "account: left out: it gets no tokens for itself (client_credentials)",
      "kc-masked: its secret is not in the file: it gets a new one",
    ],
  ],
  [
    "hydra",
    "hydra-billing",
    HYDRA_SECRET,
    ["hydra-hashed"],
    [
      "hydra-billing: grant types refresh_token",
      "hydra-hashed: its secret is known by its hash alone",
      "hydra-hashed: its secret is not in the file: it gets a new one",
    ],
  ],
  ["auth0", "auth0Billing", AUTH0_SECRET, [], []],
] as const)(
  "a client of %s gets a token with the secret it had",
  async (source, id, secret, renewed, notes) => {
    await writeFile(join(line.folder, `${source}.json`), JSON.stringify(EXPORTS[source]));
    const kept = `${source}-secrets.json`;
    const read = `import ${source} ${source}.json --resource ${API} --label shop --secrets-to ${kept}`;
    const imported = await line.daykey(read);
    expect(imported.code, imported.stderr).toBe(0);
    for (const note of notes) expect(imported.stderr).toContain(note);
    expect(imported.stdout).not.toContain(secret);
    expect((await stat(join(line.folder, kept))).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(join(line.folder, kept), "utf8"))).toEqual({ [id]: secret });
    // What is there already is never written over.
    expect((await line.daykey(read)).code).toBe(5);

    await writeFile(join(line.folder, `${source}.yaml`), imported.stdout);
    const without = await line.daykey(`apply ${source}.yaml --yes`);
    expect([without.code, without.stderr]).toEqual([2, expect.stringContaining("--imported")]);
    await line.result(`apply ${source}.yaml --yes --imported ${kept}`);
    expect(await ask(id, secret)).toBe(200);
    expect(await ask(id, `${secret}x`)).toBe(401);
    expect(await line.result(`secrets list ${id}`)).toContain("imported");
    for (const other of renewed) await stat(join(line.folder, "daykey-secrets", `${other}.json`));
    await line.result(`plan ${source}.yaml`);
  },
);

test.each([
  ["no JSON", "{", /not JSON/],
  ["no list", '{"a": 1}', /no list of clients/],
  ["lists of anything", '[1, null, {"client_id": {}, "grant_types": "x"}]', /: left out/],
])("a file with %s is told, and no defect", async (_, text, words) => {
  await writeFile(join(line.folder, "hostile.json"), text);
  const { code, stderr } = await line.daykey(`import hydra hostile.json --resource ${API}`);
  expect([code === 70, stderr]).toEqual([false, expect.stringMatching(words)]);
});
