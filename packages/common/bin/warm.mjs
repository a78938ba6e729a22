// For an image: runs a program once as each user that containers run it as, so that Node keeps its modules
// compiled beside it. Node has a cache for each user. As root: node warm.mjs <program> <cache> [<argument> …]
import { spawnSync } from "node:child_process";
import { chownSync, mkdirSync } from "node:fs";

/** The images name the first, deploy/kubernetes the second. */
const USERS = [1000, 10001];

const [program, cache, ...args] = process.argv.slice(2);
mkdirSync(cache, { recursive: true });
for (const uid of USERS) {
  chownSync(cache, uid, uid);
  const { status } = spawnSync(process.execPath, [program, ...args], {
    uid,
    gid: uid,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) process.exit(1);
}
chownSync(cache, 0, 0);
