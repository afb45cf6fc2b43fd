/** The sessions that one has with the hub, other than by tokens. */
import type { Command } from 'commander';
import type { SessionDto } from '../../hub/auth/dto/session.dto.js';
import type { Cli } from '../cli.js';
import { UsageFault } from '../fault.js';
import { asksHub, examples, lists, type PageOptions } from '../options.js';
import { age, away } from '../output/age.js';
import { printList } from './list.js';

export function addSessions(program: Command, cli: Cli): void {
  const group = program
    .command('sessions')
    .description('where you are signed in with your password')
    .addHelpText('after', examples('sessions list', 'sessions end --all'));

  lists(group.command('list'))
    .description('list your sessions, newest first')
    .addHelpText('after', examples('sessions list'))
    .action(
      cli.action<PageOptions>((run) =>
        printList<SessionDto>(run, '/sessions', {}, (nowMs) => [
          { title: 'ID', of: ({ id }) => id },
          { title: 'SINCE', of: ({ createdAt }) => `${age(createdAt, nowMs)} ago` },
          { title: 'LAST SEEN', of: ({ refreshedAt }) => `${age(refreshedAt, nowMs)} ago` },
          { title: 'ENDS', of: ({ expiresAt }) => away(expiresAt, nowMs) },
        ]),
      ),
    );

  asksHub(group.command('end'))
    .description('end one of your sessions, or all of them, everywhere, within a second; tokens stay')
    .argument('[id]', 'the id of the session, as the list shows it')
    .option('--all', 'all of them')
    .addHelpText('after', examples('sessions end 0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33', 'sessions end --all'))
    .action(
      cli.action<{ all?: boolean }, [string | undefined]>(async (run, id) => {
        const { all = false } = run.options;
        if (all === (id !== undefined)) throw new UsageFault('Name one session, or --all.');
        const hub = await run.hub();
        const path = id === undefined ? '/sessions' : `/sessions/${encodeURIComponent(id)}`;
        await run.spin('asking the hub', () => hub.ask({ method: 'DELETE', path }));
        run.printer.data({ id: id ?? null, ended: true }, () => [`Ended ${id ?? 'all sessions'}.`]);
      }),
    );
}
