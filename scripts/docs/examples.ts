/** Commands that a document shows without running them: they must at least be such as the command line takes. */
import { PassThrough, Readable } from 'node:stream';
import type { Command } from 'commander';
import { Cli } from '../../src/cli/cli.js';
import { buildProgram } from '../../src/cli/program.js';
import { surroundingsOf } from '../../src/cli/surroundings.js';

/** What is wrong with the examples in a document, as `path:line: what`. */
export async function faultsOfExamples(path: string, text: string): Promise<string[]> {
  const faults: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    for (const what of await faultsOfLine(line)) faults.push(`${path}:${index + 1}: ${what}`);
  }
  return faults;
}

async function faultsOfLine(line: string): Promise<string[]> {
  const [, example] = /^\s*\$ fairlead(\s.*|)$/.exec(line) ?? [];
  if (example !== undefined) return refusal(wordsOf(example));
  return [...line.matchAll(/`(?:npx )?fairlead ([^`]+)`/g)].flatMap(([, said = '']) =>
    unknownIn(wordsOf(said)),
  );
}

/** Parses the words with the real tree of commands, each of which does nothing. */
async function refusal(words: string[]): Promise<string[]> {
  const { program, said } = describedProgram();
  for (const command of allOf(program)) {
    if (command.commands.length === 0) command.action(() => undefined);
  }
  try {
    await program.parseAsync(words, { from: 'user' });
    return [];
  } catch {
    return [`fairlead ${words.join(' ')}: ${said().split('\n')[0] ?? ''}`];
  }
}

/** Prose names a command without all that it takes; what it names must be there. */
function unknownIn(words: string[]): string[] {
  let command = describedProgram().program;
  for (const word of words) {
    if (command.commands.length === 0 || !/^[a-z]/.test(word)) break;
    const next = command.commands.find((each) => each.name() === word);
    if (next === undefined) return [`there is no command fairlead ${words.join(' ')}`];
    command = next;
  }
  return [];
}

function describedProgram(): { program: Command; said: () => string } {
  const stderr = new PassThrough();
  const given = { env: {}, stdin: Readable.from([]), stdout: new PassThrough(), stderr };
  const surroundings = surroundingsOf(given);
  return {
    program: buildProgram(surroundings, new Cli(surroundings)),
    said: () => String(stderr.read() ?? ''),
  };
}

function allOf(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allOf)];
}

/** As a shell would take them apart, up to a comment, a pipe or a redirection. */
function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (const [word] of line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)) {
    if (/^(#|\||>|<$|&&|;)/.test(word)) break;
    words.push(word.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'));
  }
  return words;
}
