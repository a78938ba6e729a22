/** `daykey sign-url`: a URL that carries its own right to be asked for. */
import { signUrl } from "@daykey/client/sign-url";
import { MAX_URL_LIFE_SECONDS } from "@daykey/common/signed-url";
import { aside, type Cli, show } from "../cli.ts";
import { examples, wholeNumber, type Group } from "../command.ts";
import { usageError } from "../exit.ts";
import { readKeyFile } from "../signature-key-file.ts";
import { duration } from "../times.ts";

const DEFAULT_SECONDS = 300;

export function signUrlCommand(own: Group, cli: Cli): void {
  own
    .argument("<url>", "with its query, or from the root of the key's resource")
    .requiredOption("--key-file <file>", "the signature key")
    .option("--method <method>", "the one method it is for", "GET")
    .option("--seconds <seconds>", "how long it is good, up to a day", wholeNumber, DEFAULT_SECONDS)
    .addHelpText(
      "after",
      examples(
        "curl \"$(daykey sign-url '/time?zone=Europe/Paris' --key-file key.json --seconds 60)\"",
      ),
    )
    .action(async (url, { keyFile, method, seconds }) => {
      const key = await readKeyFile(keyFile);
      if (!URL.canParse(url, key.resource)) throw usageError(`"${url}" is no URL`);
      if (!/^[A-Z]{1,16}$/.test(method)) throw usageError("A method is in capitals");
      if (seconds < 1 || seconds > MAX_URL_LIFE_SECONDS) {
        throw usageError(`It is good for 1 to ${MAX_URL_LIFE_SECONDS} seconds`);
      }
      const now = cli.clock();
      const signed = await signUrl(key, url, { method, lifeSeconds: seconds, now });
      show(cli, { url: signed, expires_at: Math.floor(now) + seconds }, () => `${signed}\n`);
      aside(cli, `for ${key.clientId}, good for ${duration(seconds)} to whoever has it`);
    });
}
