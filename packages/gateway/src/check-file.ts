/** `--check`: whether a file could be used, without starting anything. */
import { readRoutesFile } from "./routes-file.ts";
import { readUpstreamsFile } from "./upstreams-file.ts";

/**
 * One line about a file that can be used.
 * @throws {FileError} with every fault and its line
 */
export function checkFile(text: string, name: string): string {
  if (/^upstreams:/m.test(text)) {
    const { size } = readUpstreamsFile(text, { name });
    return `${name}: ${size} upstreams\n`;
  }
  // Which resource hosts have by default is a setting, and of no account here.
  const routes = readRoutesFile(text, { name, resource: "https://resource.invalid" });
  const rules = [...routes.values()].flatMap((host) => host.rules);
  return `${name}: ${routes.size} hosts, ${rules.length} routes\n`;
}
