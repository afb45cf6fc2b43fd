/** The invites with which users set a password. */
import type { Command } from 'commander';
import type { CreatedInviteDto, CreateInviteDto, InviteDto } from '../../hub/auth/dto/invite.dto.js';
import type { Cli } from '../cli.js';
import { durationS } from '../input/duration.js';
import { asksHub, examples, lists, type PageOptions } from '../options.js';
import { age, away } from '../output/age.js';
import { printList } from './list.js';

export function addInvites(program: Command, cli: Cli): void {
  const group = program
    .command('invites')
    .description('invites with which users set a password')
    .addHelpText('after', examples('invites create ada', 'invites list'));

  makesInvite(group.command('create'), cli, 'invites create');

  lists(group.command('list'))
    .description('list invites and what became of them, newest first')
    .addHelpText('after', examples('invites list', 'invites list --limit 10 --json'))
    .action(
      cli.action<PageOptions>((run) =>
        printList<InviteDto>(run, '/invites', {}, (nowMs) => [
          { title: 'ID', of: ({ id }) => id },
          { title: 'USER', of: ({ name }) => name },
          { title: 'EMAIL', of: ({ email }) => email },
          { title: 'ROLE', of: ({ role }) => role },
          { title: 'STATE', of: ({ state }) => state, isState: true },
          {
            title: 'EXPIRES',
            of: ({ state, expiresAt }) => (state === 'open' ? away(expiresAt, nowMs) : null),
          },
          { title: 'BY', of: ({ createdBy, createdByName }) => createdByName ?? createdBy },
          { title: 'AGE', of: ({ createdAt }) => age(createdAt, nowMs) },
        ]),
      ),
    );

  asksHub(group.command('revoke'))
    .description('make an invite useless; a password that was set with it stays')
    .argument('<id>', 'the id of the invite, as the list shows it')
    .addHelpText('after', examples('invites revoke 0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33'))
    .action(
      cli.action<object, [string]>(async (run, id) => {
        const hub = await run.hub();
        const path = `/invites/${encodeURIComponent(id)}`;
        await run.spin('asking the hub', () => hub.ask({ method: 'DELETE', path }));
        run.printer.data({ id, revoked: true }, () => [`Revoked ${id}.`]);
      }),
    );
}

/** @param name of the command, as its examples have it */
export function makesInvite(command: Command, cli: Cli, name: string): void {
  asksHub(command)
    .description('let a user set a password, once; the invite is shown once, and ends those before it')
    .argument('<user>', 'id or name')
    .option('--expires <duration>', 'how long it can be used, such as 1h or 7d (default: 3d)', durationS)
    .addHelpText('after', examples(`${name} ada`, `${name} ada --expires 1h`))
    .action(
      cli.action<{ expires?: number }, [string]>(async (run, user) => {
        const { expires } = run.options;
        const body: Partial<CreateInviteDto> = expires === undefined ? {} : { expiresInS: expires };
        const hub = await run.hub();
        const path = `/users/${encodeURIComponent(user)}/invites`;
        // The hub keeps no answer with a secret in it, so a repeat would make a second invite.
        const made = await run.spin('asking the hub', () =>
          hub.ask<CreatedInviteDto>({ method: 'POST', path, body, repeat: 'harmful' }),
        );
        run.printer.data(made, () => [made.token]);
        run.printer.note(
          `Shown this once; expires ${away(made.expiresAt, hub.hubNowMs)}. The user sets a password with it:\n\n` +
            `  fairlead login ${hub.target.urls.join(',')} --invite <the invite>\n`,
        );
      }),
    );
}
