import { Argument, type Command } from 'commander';
import type { Cli } from '../cli.js';
import { bashCompletion } from '../completion/bash.js';
import { fishCompletion } from '../completion/fish.js';
import { placesOf } from '../completion/tree.js';
import { zshCompletion } from '../completion/zsh.js';
import { examples } from '../options.js';

const SCRIPTS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };

type Shell = keyof typeof SCRIPTS;

/** The script is made from the tree that it stands in, so what it offers is what there is. */
export function addCompletion(program: Command, cli: Cli): void {
  program
    .command('completion')
    .description('print a script with which a shell completes commands and options; it asks no hub for names')
    .addArgument(new Argument('<shell>', 'which shell').choices(Object.keys(SCRIPTS)))
    .addHelpText(
      'after',
      examples(
        'completion bash > ~/.local/share/bash-completion/completions/fairlead',
        'completion zsh > ~/.zfunc/_fairlead   # where fpath has ~/.zfunc',
        'completion fish > ~/.config/fish/completions/fairlead.fish',
      ),
    )
    .action(
      cli.action<object, [Shell]>((run, shell) => {
        // A script is a script for programs as well: --json would make it useless to whoever sources it.
        run.printer.lines([SCRIPTS[shell](placesOf(program)).trimEnd()]);
        return Promise.resolve();
      }, false),
    );
}
