/** The manual of the command as one page of Markdown: `docs/cli.md`, made from the tree of commands. */
import { PassThrough, Readable } from 'node:stream';
import type { Argument, Command, Option } from 'commander';
import { Cli } from '../cli.js';
import { ENVIRONMENT } from '../environment.js';
import { MEANINGS } from '../exit-code.js';
import { buildProgram } from '../program.js';
import { surroundingsOf } from '../surroundings.js';
import { markdownTable } from './markdown-table.js';

const INTRODUCTION = `# The fairlead command

A thin client of the hub's HTTP API, and the way to start a hub or a broker. Data goes to stdout, everything else to
stderr. With \`--json\` the data is one JSON document, the hub's own answer, and a failure is one as well:
\`{"error": {"code": ..., "title": ..., "detail": ..., "remedy": ...}}\`. People are told the same in words; the codes
are in [errors.md](errors.md).

Which hub is asked, and as whom, is told by the options, else by the environment, else by what \`fairlead login\`
stored. Where several addresses are known, a call that one does not answer is made at the next.

Every command takes \`-h\` and \`--help\`. This page is made from the code by \`npm run cli:write\`.
`;

const WATCHING = `## Looking again and again

\`--watch\` repeats a list every two seconds, or as often as it says (\`--watch 10\`, \`--watch 1m\`), until Ctrl-C, which
ends it with exit code 0. On a terminal each list replaces the one before it; anywhere else they follow each other.
With \`--json\` each is a document on a line of its own. If the first look fails, the command ends as any other does; a
later failure is shown, with \`--json\` as a line \`{"error": ...}\`, and the next look is taken as if nothing had been.
`;

const COMPLETING = `## Completion

\`fairlead completion <shell>\` prints a script for bash, zsh or fish that completes commands, options and files. It is
made from the commands themselves and asks no hub: names of agents and brokers are not completed. Make it anew after an
upgrade. For one session of bash:

\`\`\`sh
eval "$(fairlead completion bash)"
\`\`\`
`;

export function manualPage(): string {
  const stdout = new PassThrough();
  // Nothing is asked of anybody: the program only describes itself.
  const surroundings = surroundingsOf({
    env: {},
    stdin: Readable.from([]),
    stdout,
    stderr: new PassThrough(),
  });
  const program = buildProgram(surroundings, new Cli(surroundings));
  const read = (): string => String(stdout.read() ?? '');
  const sections = [
    INTRODUCTION,
    WATCHING,
    COMPLETING,
    `## Exit codes\n\n${markdownTable(['code', 'meaning'], Object.entries(MEANINGS))}\n`,
    `## Environment variables\n\n${environmentTable()}\n\nThe variables of the hub are its own; \`fairlead hub start\` names those that break a rule.\n`,
    '## Commands\n',
    ...commandsOf(program).map((command) => sectionOf(command, read)),
  ];
  return sections.join('\n');
}

function environmentTable(): string {
  const rows = Object.entries(ENVIRONMENT).map(([name, meaning]) => [`\`${name}\``, meaning]);
  return markdownTable(['variable', 'meaning'], rows);
}

/** Each command before those in it. */
function commandsOf(command: Command): Command[] {
  return [command, ...command.commands.flatMap(commandsOf)];
}

function sectionOf(command: Command, read: () => string): string {
  const help = command.createHelp();
  const parts = [
    `### ${wordsOf(command)}`,
    `${sentence(command.description())}`,
    fenced(help.commandUsage(command)),
    tableOf('command', command.commands, (each) => [wordsOf(each), each.description()]),
    tableOf('argument', command.registeredArguments, (argument: Argument) => [
      `\`${argument.name()}\``,
      help.argumentDescription(argument),
    ]),
    tableOf('option', help.visibleOptions(command).filter(isTelling), (option: Option) => [
      `\`${option.flags}\``,
      help.optionDescription(option),
    ]),
    fenced(afterHelp(command, read)),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/** What the help says under its lists. The root's ends with tables that have a section of their own here. */
function afterHelp(command: Command, read: () => string): string {
  read();
  command.outputHelp();
  const [text = ''] = read().slice(command.helpInformation().length).split('\n\nEnvironment:\n');
  return text.trim();
}

function tableOf<T>(title: string, things: readonly T[], row: (thing: T) => string[]): string {
  return things.length === 0 ? '' : markdownTable([title, ''], things.map(row));
}

function isTelling({ long }: Option): boolean {
  return long !== '--help';
}

function wordsOf(command: Command): string {
  return command.parent === null ? command.name() : `${wordsOf(command.parent)} ${command.name()}`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, '')}.`;
}

function fenced(text: string): string {
  return text === '' ? '' : `\`\`\`text\n${text}\n\`\`\``;
}
