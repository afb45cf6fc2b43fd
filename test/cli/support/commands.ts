import { PassThrough, Readable } from 'node:stream';
import type { Command } from 'commander';
import { Cli } from '../../../src/cli/cli.js';
import { buildProgram } from '../../../src/cli/program.js';
import { surroundingsOf } from '../../../src/cli/surroundings.js';

/** The words of every command and group, the program itself first, as one would type them after `fairlead`. */
export function allCommands(): string[][] {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const surroundings = surroundingsOf({ env: {}, stdin: Readable.from([]), stdout, stderr });
  return under(buildProgram(surroundings, new Cli(surroundings)), []);
}

function under(command: Command, words: string[]): string[][] {
  return [words, ...command.commands.flatMap((each) => under(each, [...words, each.name()]))];
}
