/**
 * The first half of `npm start` and `npm test`: installs what pnpm-lock.yaml pins, Node 24 among
 * it, when that is not installed yet. Plain JavaScript, because the machine's own Node runs it.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const PNPM = "pnpm@12.21.0";
const OLDEST_NODE = 20;
const PLATFORMS = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"];

const root = new URL("../../", import.meta.url);
const platform = `${process.platform}-${process.arch}`;

if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
  refuse(
    `Daykey needs Node ${OLDEST_NODE} or newer to install itself; this is ${process.version}.`,
  );
}
if (!PLATFORMS.includes(platform)) {
  refuse(`Daykey runs on Linux and macOS, x64 and arm64 (on Windows: in WSL), not on ${platform}.`);
}
// pnpm copies the lock file there as its last step, so a killed installation is done again.
const installed = read("node_modules/.pnpm/lock.yaml");
if (installed === undefined || installed !== read("pnpm-lock.yaml")) install();

function install() {
  if (process.platform === "linux" && !process.report.getReport().header.glibcVersionRuntime) {
    refuse("Daykey's Node and PostgreSQL are built for glibc, which this Linux does not have.");
  }
  console.log("Installing Node 24, PostgreSQL and the libraries into node_modules (only once) …");
  const options = ["--frozen-lockfile", "--prefer-offline", "--reporter=append-only"];
  const { error, status } = spawnSync(
    "npx",
    ["--yes", "--prefer-offline", PNPM, "install", ...options],
    { cwd: root, stdio: "inherit" },
  );
  if (error) refuse(`The installation could not start npx, which comes with npm: ${error.message}`);
  if (status !== 0) {
    refuse(
      `The installation in ${fileURLToPath(root)} failed, as said above: it needs the npm registry the first time, and a writable folder and home.`,
    );
  }
}

function read(path) {
  try {
    return readFileSync(new URL(path, root), "utf8");
  } catch {
    return undefined;
  }
}

function refuse(sentence) {
  console.error(sentence);
  process.exit(1);
}
