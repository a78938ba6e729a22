/** What the documents say is so: links lead somewhere, and tables are compared with their source. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeConfig as describeAuthServer } from "@daykey/auth-server/config";
import { OAUTH_ERRORS } from "@daykey/common/oauth-error";
import { PROBLEMS } from "@daykey/common/problems";
import {
  describeConfig as describeGateway,
  describeEgressConfig as describeEgress,
} from "@daykey/gateway/config";
import { describeConfig as describeLocal } from "@daykey/local/config";
import { describeConfig as describeResourceServer } from "@daykey/resource-server/config";
import { machineTool } from "@daykey/service/test/machine-tool";
import { expect, test } from "vitest";
import { allDocuments, anchorsOf, linksOf, readDocument } from "../test/documents.ts";
import { scrapeAll } from "../test/scrape-all.ts";
import { ROOT } from "../test/stack.ts";

test("every relative link leads to a file, and to a heading where it names one", () => {
  const broken = allDocuments().flatMap((document) =>
    linksOf(document)
      .filter(({ file, anchor }) => {
        if (!existsSync(join(ROOT, file))) return true;
        return anchor !== "" && !anchorsOf(readDocument(file)).includes(anchor);
      })
      .map(({ file, anchor }) => `${document}: ${file}#${anchor}`),
  );
  expect(allDocuments().length).toBeGreaterThan(30);
  expect(broken).toEqual([]);
});

test("docs/README.md leads to every page of docs", () => {
  const pages = allDocuments().filter((path) => /^docs\/(?!README|adr\/0)/.test(path));
  const listed = linksOf("docs/README.md").map(({ file }) => file);
  expect(pages.filter((page) => !listed.includes(page))).toEqual([]);
});

test("README.md has at most 250 lines", () => {
  expect(readDocument("README.md").split("\n").length).toBeLessThanOrEqual(250);
});

test.each([
  ["auth-server", describeAuthServer()],
  ["resource-server", describeResourceServer()],
  ["gateway", describeGateway()],
  ["gateway egress", describeEgress()],
  ["npm start", describeLocal()],
])("the settings of %s in docs/reference/settings.md are those of --help", (section, help) => {
  const table = sectionOf("docs/reference/settings.md", section);
  const rows = [...table.matchAll(/^\| `([^`]+)` \| (.+?) \| (.+) \|$/gm)].map((cells) =>
    cells.slice(1).join(" ").replaceAll("`", "").replaceAll(/\s+/g, " "),
  );
  const settings = help.split("\n").map((line) => line.trim().replaceAll(/\s+/g, " "));
  expect(rows).toEqual(settings.map((line) => line.replaceAll("`", "")));
});

test("docs/reference/errors.md has every problem with its status and title, and every OAuth error", () => {
  const problems = [
    ...sectionOf("docs/reference/errors.md", "Problems").matchAll(
      /^\| `([^`]+)` \| (\d{3}) \| (.+?) \|/gm,
    ),
  ].map(([, code, status, title]) => [code, Number(status), title]);
  expect(problems).toEqual(Object.entries(PROBLEMS).map(([code, told]) => [code, ...told]));
  const errors = [
    ...sectionOf("docs/reference/errors.md", "OAuth errors").matchAll(/^\| `([^`]+)` \|/gm),
  ];
  expect(errors.map(([, code = ""]) => code).toSorted()).toEqual(
    Object.keys(OAUTH_ERRORS).toSorted(),
  );
});

test("docs/reference/cli.md has every command, in the order of --help", () => {
  const daykey = join(ROOT, "node_modules/.bin/daykey");
  const { PATH = "" } = process.env;
  const env = { ...process.env, PATH: `${join(ROOT, "node_modules/.bin")}:${PATH}` };
  const script = execFileSync(daykey, ["completion", "bash"], { env, encoding: "utf8" });
  const all = [...script.matchAll(/^ {4}"([^"]+)"\) words=/gm)].map(([, name = ""]) => name);
  const commands = all.filter(
    (name) => name !== "help" && !all.some((other) => other.startsWith(`${name} `)),
  );
  const told = [
    ...sectionOf("docs/reference/cli.md", "Commands").matchAll(
      /^\| `daykey ([a-z -]+?)(?: [<[].*?)?` \|/gm,
    ),
  ].map(([, name = ""]) => name);
  expect(commands.length).toBeGreaterThan(40);
  expect(told).toEqual(commands);
});

test("docs/reference/metrics.md has every metric of the servers, and no other", async () => {
  const { scraped, stop } = await scrapeAll();
  await stop();
  const own = new Set(
    scraped
      .flatMap(({ names }) => [...names])
      .filter((name) => !/^(?:process|nodejs)_/.test(name))
      .map((name) => name.replace(/_(?:bucket|sum|count)$/, "")),
  );
  // Only with REDIS_URL, DATABASE_URL and TLS_CERTIFICATE_FILE.
  own.add("redis_usable").add("database_usable");
  own.add("tls_certificate_expires_at_seconds").add("tls_files_current");
  const table = sectionOf("docs/reference/metrics.md", "The servers' own");
  const told = [...table.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell = ""]) =>
    [...cell.matchAll(/`([a-z_]+)`/g)].map(([, name = ""]) => name),
  );
  expect([...new Set(told)].toSorted()).toEqual([...own].toSorted());
});

test("docs/reference/log.md has every event and reason that a server logs", () => {
  const page = readDocument("docs/reference/log.md");
  const logged = globSync(
    "packages/{auth-server,resource-server,guard,gateway,service,common}/src/**/*.ts",
    {
      cwd: ROOT,
      exclude: ["**/*.test.ts"],
    },
  ).flatMap((file) => {
    const source = readFileSync(join(ROOT, file), "utf8");
    return [
      ...source.matchAll(
        /\b(?:(?:event|detail|reason): |(?:InvalidCredential|refused)\(\s*)"([a-z]+(?:_[a-z]+)+)"/g,
      ),
    ];
  });
  expect(logged.length).toBeGreaterThan(40);
  const names = new Set(logged.map(([, name = ""]) => name));
  // What a body lacks, which is told in an answer.
  names.delete("too_large");
  expect([...names].filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

test("each line of docs/assurance.md is cited by a test's title, and no title cites another", () => {
  const known = [...readDocument("docs/assurance.md").matchAll(/^\| ([A-Z]\d{1,2}) \|/gm)].map(
    ([, id = ""]) => id,
  );
  const cited = globSync("packages/*/src/**/*.test.ts", { cwd: ROOT }).flatMap((file) => {
    const source = readFileSync(join(ROOT, file), "utf8");
    const titles = source.matchAll(
      /\b(?:test|describe)(?:\.\w+)*(?:\((?:[^()]|\([^()]*\))*\))?\(\s*(["`])(.*?)\1/gs,
    );
    return [...titles].flatMap(([, , title = ""]) =>
      [...title.matchAll(/(?<![\w.-])[ABCDEHLMORTVX]\d{1,2}(?![\w.-])/g)].map(([id]) => id),
    );
  });
  expect([...new Set(cited)].toSorted()).toEqual(known.toSorted());
});

const caddy = machineTool("caddy");
const nginx = machineTool("nginx");
const haproxy = machineTool("haproxy");

test.skipIf(nginx === undefined)("nginx loads the configuration of docs/how-to/proxies.md", () => {
  inFolder("nginx", (folder) => {
    const wrapped = `events {}\npid ${folder}/pid;\nhttp {\n${proxyConfiguration("nginx")}\n}\n`;
    writeFileSync(join(folder, "nginx.conf"), wrapped);
    const args = ["-t", "-q", "-p", folder, "-c", "nginx.conf"];
    expect(spawnSync(nginx ?? "", args, { encoding: "utf8" })).toMatchObject({
      stderr: "",
      status: 0,
    });
  });
});

test.skipIf(haproxy === undefined)(
  "HAProxy loads the configuration of docs/how-to/proxies.md without a warning",
  () => {
    inFolder("haproxy", (folder) => {
      writeFileSync(join(folder, "haproxy.cfg"), `${proxyConfiguration("haproxy")}\n`);
      const options = { cwd: folder, encoding: "utf8" } as const;
      const { stderr, status } = spawnSync(
        haproxy ?? "",
        ["-c", "-dW", "-f", "haproxy.cfg"],
        options,
      );
      expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    });
  },
);

test.skipIf(caddy === undefined)(
  "Caddy accepts the configuration of docs/how-to/proxies.md, formatted as its own",
  () => {
    inFolder("caddy", (folder) => {
      writeFileSync(join(folder, "Caddyfile"), `${proxyConfiguration("caddy")}\n`);
      const options = { cwd: folder, env: { HOME: folder }, encoding: "utf8" } as const;
      const { stderr, status } = spawnSync(caddy ?? "", ["validate"], options);
      expect(status, stderr).toBe(0);
      expect(spawnSync(caddy ?? "", ["fmt", "--diff", "Caddyfile"], options).status).toBe(0);
    });
  },
);

/** A folder with a certificate in tls/server.pem, as the examples name it. */
function inFolder(name: string, use: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), `daykey-${name}-`));
  try {
    const script =
      "mkdir tls && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=a -keyout key -out cert && cat cert key > tls/server.pem";
    execFileSync("sh", ["-c", script], { cwd: folder, stdio: "ignore" });
    use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function proxyConfiguration(name: string): string {
  const page = readDocument("docs/how-to/proxies.md");
  const found = page.split(`<!-- proxy: ${name} -->`)[1]?.match(/^```\w+\n([^]*?)\n```$/m)?.[1];
  if (found === undefined) throw new Error(`no configuration of ${name}`);
  return found;
}

/** The text under a second heading, up to the next. */
function sectionOf(document: string, heading: string): string {
  return readDocument(document).split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
}
