/** `daykey trust` and `daykey console` against the real servers: a workload in, an admin in, each ended. */
import { generateKeyPairSync, type KeyObject, randomUUID, sign } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CommandLine, compact, startCommandLine } from "../test/daykey.ts";

const ISS = "https://kubernetes.default.svc.cluster.local";
const POLL = { timeout: 15_000 };

let line: CommandLine;
let daykey: CommandLine["daykey"];
let result: CommandLine["result"];
let privateKey: KeyObject;
beforeAll(async () => {
  line = await startCommandLine();
  ({ daykey, result } = line);
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  ({ privateKey } = pair);
  const jwk = { ...pair.publicKey.export({ format: "jwk" }), kid: "k8s", alg: "ES256" };
  await writeFile(join(line.folder, "jwks.json"), JSON.stringify({ keys: [jwk] }));
});
afterAll(() => line.stop());

/** As kube-apiserver makes them: no typ, aud a list. */
function podToken(namespace: string): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    aud: [line.issuer],
    exp: now + 3600,
    iat: now,
    iss: ISS,
    jti: randomUUID(),
    "kubernetes.io": { namespace, serviceaccount: { name: "billing", uid: "1" } },
    nbf: now,
    sub: `system:serviceaccount:${namespace}:billing`,
  };
  const signed = [{ alg: "ES256", kid: "k8s" }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  const key = { key: privateKey, dsaEncoding: "ieee-p1363" } as const;
  return `${signed}.${sign("sha256", Buffer.from(signed), key).toString("base64url")}`;
}

async function getToken(assertion: string): Promise<{ status: number; token: string }> {
  const grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer";
  const body = new URLSearchParams({ grant_type, assertion });
  const response = await fetch(`${line.issuer}/oauth2/token`, { method: "POST", body });
  const answer = (await response.json()) as { access_token?: string };
  return { status: response.status, token: answer.access_token ?? "" };
}

async function time(token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(`${line.resource}/time`, { headers });
  await response.text();
  return response.status;
}

test("a pod's token reads the time, explain says why another's does not, and a deleted rule ends it", async () => {
  await result(
    `clients create billing --name billing --resource ${line.resource} --scope time:read --form workload --no-secret`,
  );
  await result(`trust issuers add cluster --iss ${ISS} --jwks-file jwks.json --max-age 3600`);
  expect(compact(await result("trust issuers list"))).toContain(`cluster  ${ISS}  jwks  enabled`);
  await result(
    "trust rules add billing-prod --issuer cluster --client billing --when /kubernetes.io/namespace=prod --when /kubernetes.io/namespace=live --glob /kubernetes.io/serviceaccount/name=bill*",
  );
  expect(compact(await result("trust rules list --client billing"))).toContain(
    "/kubernetes.io/namespace is prod or live",
  );

  const { status, token } = await getToken(podToken("prod"));
  expect(status).toBe(200);
  expect(await time(token)).toBe(200);

  const good = await daykey("trust explain", { input: podToken("live") });
  expect([good.code, good.stdout]).toEqual([0, expect.stringContaining("billing-prod")]);
  const bad = await daykey("trust explain", { input: podToken("stage") });
  expect(bad.code).not.toBe(0);
  expect(compact(bad.stdout)).toContain('/kubernetes.io/namespace  prod or live  "stage"');
  expect((await getToken(podToken("stage"))).status).toBe(400);

  expect(await result("trust rules remove billing-prod --yes")).toBe("billing-prod is removed\n");
  await expect.poll(() => time(token), POLL).toBe(401);
  expect((await getToken(podToken("prod"))).status).toBe(400);
});

test("a rule is turned to a dry run, off and on; an issuer is changed and removed with its rules", async () => {
  await result("trust rules add one --issuer cluster --client billing --when sub=a");
  for (const [turn, state] of [
    ["dry-run", "dry_run"],
    ["disable", "disabled"],
    ["enable", "enabled"],
  ]) {
    expect(await result(`trust rules ${turn} one`)).toBe(`one is ${state}\n`);
  }
  expect(await result("trust rules update one --when sub=b")).toContain("sub is b");
  expect(await result("trust rules show one")).toContain("sub is b");
  expect(await result("trust issuers update cluster --reusable")).toMatch(/^reusable +yes$/m);
  expect(await result("trust issuers disable cluster")).toBe("cluster is disabled\n");
  expect(await result("trust issuers show cluster")).toMatch(/^state +disabled$/m);
  expect(await result("trust issuers enable cluster")).toBe("cluster is enabled\n");
  const both = await daykey("trust issuers update cluster --discovery --jwks-uri https://x.test");
  expect(both.code).toBe(2);
  expect((await daykey("trust rules add two --issuer cluster --client billing")).code).toBe(2);
  await result("trust issuers remove cluster --yes");
  expect((await daykey("trust rules show one")).code).not.toBe(0);
});

test("console prints a link to the private listener, and whoever uses it first is signed in", async () => {
  const { url } = JSON.parse(await result("console --json")) as { url: string };
  const { origin, searchParams } = new URL(url);
  const enter = async (): Promise<number> => {
    const response = await fetch(`${origin}/console/enter`, {
      method: "POST",
      redirect: "manual",
      headers: { origin },
      body: new URLSearchParams({ link: searchParams.get("link") ?? "" }),
    });
    await response.text();
    return response.status;
  };
  expect(await enter()).toBe(303);
  expect(await enter()).toBe(403);
});
