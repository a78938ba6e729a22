/** `daykey completion`: a script that lets a shell complete the fixed tree of commands and options. */
import { Argument } from "@commander-js/extra-typings";
import type { Cli } from "../cli.ts";
import { type AnyCommand, examples, type Group } from "../command.ts";
import { completionScript, SHELLS } from "../completion.ts";

export function completionCommand(own: Group, cli: Cli, program: AnyCommand): void {
  own
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .addHelpText(
      "after",
      examples(
        "source <(daykey completion bash)",
        'daykey completion zsh > "${fpath[1]}/_daykey"',
        "daykey completion fish > ~/.config/fish/completions/daykey.fish",
      ),
    )
    .action((shell) => cli.terminal.print(completionScript(shell, program)));
}
