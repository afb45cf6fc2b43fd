/** The bridge between commander and the commands: one exit code for each run, and no way out past the reporting. */
import type { Command } from 'commander';
import { EXIT, type ExitCode } from './exit-code.js';
import { Invocation } from './invocation.js';
import { report } from './output/report.js';
import type { Surroundings } from './surroundings.js';

type Body<O extends object, A extends unknown[]> = (
  invocation: Invocation<O>,
  ...args: A
) => Promise<ExitCode | void>;

export class Cli {
  exitCode: ExitCode = EXIT.ok;

  constructor(private readonly surroundings: Surroundings) {}

  /**
   * A command's action: `O` are its options, `A` its arguments as commander reads them.
   *
   * @param takesGlobal false where --url and --token mean something else than in the commands that ask the hub
   */
  action<O extends object = object, A extends unknown[] = []>(body: Body<O, A>, takesGlobal = true) {
    return async function (this: Cli, ...given: unknown[]): Promise<void> {
      const command = given.at(-1) as Command;
      // What stands nearer to the command is more deliberate; commander's own merging has it the other way around.
      const options = { ...(takesGlobal ? rootOf(command).opts() : {}), ...command.opts<O>() };
      const invocation = new Invocation<O>(this.surroundings, options);
      try {
        this.exitCode = (await body(invocation, ...(given.slice(0, -2) as A))) ?? EXIT.ok;
      } catch (error) {
        this.exitCode = report(error, invocation.printer, this.surroundings.stderr, invocation.secrets);
      }
    }.bind(this);
  }
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}
