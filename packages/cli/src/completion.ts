/**
 * Completion scripts for a tree of commands that is fixed: each shell gets a table of what may follow
 * which words, so completing asks no process and no server.
 */
import type { AnyCommand } from "./command.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** A command by its words below the program's name, and what may follow them. */
interface Node {
  path: string;
  commands: readonly { name: string; about: string }[];
  options: readonly { flag: string; about: string }[];
}

export function completionScript(shell: Shell, program: AnyCommand): string {
  const nodes = nodesOf(program, "", optionsOf(program));
  return { bash, zsh, fish }[shell](nodes);
}

function nodesOf(command: AnyCommand, path: string, globals: Node["options"]): Node[] {
  const own = path === "" ? [] : optionsOf(command);
  const node: Node = {
    path,
    commands: command.commands.map((child) => ({ name: child.name(), about: child.description() })),
    options: [...own, ...globals, { flag: "--help", about: "show help" }],
  };
  const children = command.commands.flatMap((child) =>
    nodesOf(child, `${path} ${child.name()}`.trim(), globals),
  );
  return [node, ...children];
}

function optionsOf(command: AnyCommand): Node["options"] {
  return command.options.map(({ long, flags, description }) => ({
    flag: long ?? flags,
    about: description,
  }));
}

const wordsOf = ({ commands, options }: Node): string =>
  [...commands.map(({ name }) => name), ...options.map(({ flag }) => flag)].join(" ");

/** The words before the cursor that name a command, as bash and zsh both read them. */
const cases = (nodes: readonly Node[], line: (node: Node) => string): string =>
  nodes.map((node) => `    "${node.path}") ${line(node)} ;;`).join("\n");

function bash(nodes: readonly Node[]): string {
  return `# bash completion for daykey: source <(daykey completion bash)
_daykey() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path="" word next
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    next="\${path:+$path }$word"
    case "$next" in
      ${pathPattern(nodes)}) path="$next" ;;
    esac
  done
  local words=""
  case "$path" in
${cases(nodes, (node) => `words="${wordsOf(node)}"`)}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _daykey daykey
`;
}

function zsh(nodes: readonly Node[]): string {
  const entries = ({ commands, options }: Node): string =>
    [
      ...commands.map(({ name, about }) => quoted(`${name}:${about}`)),
      ...options.map(({ flag, about }) => quoted(`${flag}:${about}`)),
    ].join(" ");
  return `#compdef daykey
_daykey() {
  local place="" word next
  local -a entries
  for word in "\${(@)words[2,CURRENT-1]}"; do
    next="\${place:+$place }$word"
    case "$next" in
      ${pathPattern(nodes)}) place="$next" ;;
    esac
  done
  case "$place" in
${cases(nodes, (node) => `entries=(${entries(node)})`)}
  esac
  _describe daykey entries || _files
}
if [ "$funcstack[1]" = "_daykey" ]; then _daykey "$@"; else compdef _daykey daykey; fi
`;
}

function fish(nodes: readonly Node[]): string {
  const lines = nodes.flatMap(({ path, commands, options }) => {
    const where = `-n "__daykey_at '${path}'"`;
    return [
      ...commands.map(
        ({ name, about }) => `complete -c daykey -f ${where} -a ${name} -d ${quoted(about)}`,
      ),
      ...options.map(
        ({ flag, about }) => `complete -c daykey ${where} -l ${flag.slice(2)} -d ${quoted(about)}`,
      ),
    ];
  });
  const paths = nodes.map(({ path }) => `"${path}"`).join(" ");
  return `# fish completion for daykey
function __daykey_at
  set -l path ""
  for word in (commandline -opc)[2..-1]
    set -l next (string trim "$path $word")
    contains -- "$next" ${paths}; and set path "$next"
  end
  test "$path" = "$argv[1]"
end
${lines.join("\n")}
`;
}

/** All commands but the program itself, as a pattern of \`case\`. */
function pathPattern(nodes: readonly Node[]): string {
  return nodes.flatMap(({ path }) => (path === "" ? [] : [`"${path}"`])).join("|");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "’")}'`;
}
