/** One's own password. */
import type { Command } from 'commander';
import type { Cli } from '../cli.js';
import { UsageFault } from '../fault.js';
import { askedPassword } from '../input/secret.js';
import { asksHub, examples } from '../options.js';

type Options = { currentFile?: string; passwordFile?: string; first?: boolean };

export function addPassword(program: Command, cli: Cli): void {
  asksHub(program.command('password'))
    .description('change your password; your other sessions end with it, and tokens stay')
    .option('--current-file <file>', 'a file that holds the current one; else a hidden prompt')
    .option(
      '--password-file <file>',
      'a file that holds the new one; - for stdin; else a hidden prompt or stdin',
    )
    .option('--first', 'you have none yet')
    .addHelpText(
      'after',
      examples('password', 'password --first', 'password --current-file old --password-file new'),
    )
    .action(
      cli.action<Options>(async (run) => {
        const { currentFile, passwordFile, first = false } = run.options;
        const { surroundings, printer } = run;
        const isAsked = surroundings.stdin.isTTY === true;
        if (first && currentFile !== undefined)
          throw new UsageFault('With --first there is no current password.');
        // Two passwords in one pipe are told apart by nobody.
        if (!first && !isAsked && (currentFile === undefined || currentFile === '-'))
          throw new UsageFault('Name the current password by --current-file, or say --first.');
        const current = first
          ? undefined
          : await askedPassword(currentFile, 'Current password: ', surroundings);
        run.hide(current);
        const password = await askedPassword(passwordFile, 'New password: ', surroundings);
        run.hide(password);
        if (isAsked && passwordFile === undefined) {
          const again = await askedPassword(undefined, 'The same again: ', surroundings);
          if (again !== password) throw new UsageFault('The two are not the same.');
        }
        const hub = await run.hub();
        await run.spin('asking the hub', () =>
          hub.ask({ method: 'PUT', path: '/me/password', body: { current, password }, repeat: 'harmful' }),
        );
        printer.data({ changed: true }, () => ['The password is changed. Your other sessions have ended.']);
      }),
    );
}
