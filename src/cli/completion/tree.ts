/** The tree of commands as plain data: what can stand where, for the shells to offer. */
import type { Argument, Command, Option } from 'commander';

/** What follows a flag or stands for an argument, as far as a shell can help with it. */
export type Value = { kind: 'none' | 'text' | 'file' | 'folder' } | { kind: 'choice'; words: string[] };

export type Flag = { names: string[]; description: string; value: Value };

export type Place = {
  /** The words that lead here, without that of the program. */
  path: string;
  commands: { name: string; description: string }[];
  flags: Flag[];
  /** The words that its first argument can be; empty where it can be anything. */
  words: string[];
};

/** Every command, each group before what is in it. */
export function placesOf(program: Command): Place[] {
  return placesUnder(program, []);
}

function placesUnder(command: Command, words: readonly string[]): Place[] {
  const help = command.createHelp();
  const here: Place = {
    path: words.join(' '),
    commands: help
      .visibleCommands(command)
      .map((each) => ({ name: each.name(), description: each.description() })),
    flags: help.visibleOptions(command).map(flagOf),
    words: choicesOf(command.registeredArguments[0]),
  };
  return [here, ...command.commands.flatMap((each) => placesUnder(each, [...words, each.name()]))];
}

function flagOf(option: Option): Flag {
  const names = [option.short, option.long].filter((name) => name !== undefined && name !== null);
  return { names, description: option.description, value: valueOf(option) };
}

/** What a flag needs after it. One that may go without is followed by nothing: the next word may be another flag. */
function valueOf(option: Option): Value {
  if (!option.required) return { kind: 'none' };
  if (option.argChoices !== undefined) return { kind: 'choice', words: [...option.argChoices] };
  // These two placeholders are kept for what lies on this machine.
  if (option.flags.endsWith('<file>')) return { kind: 'file' };
  return { kind: option.flags.endsWith('<folder>') ? 'folder' : 'text' };
}

function choicesOf(argument: Argument | undefined): string[] {
  return [...(argument?.argChoices ?? [])];
}
