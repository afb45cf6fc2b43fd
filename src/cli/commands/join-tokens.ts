/** The tokens with which brokers join. */
import type { Command } from 'commander';
import type {
  CreatedJoinTokenDto,
  CreateJoinTokenDto,
  JoinTokenDto,
} from '../../hub/auth/dto/join-token.dto.js';
import type { Cli } from '../cli.js';
import { count, durationS } from '../input/duration.js';
import { pair, type Pairs } from '../input/pairs.js';
import { asksHub, examples, lists, type PageOptions } from '../options.js';
import { away } from '../output/age.js';
import { pairs } from '../output/table.js';
import { printList } from './list.js';

type CreateOptions = { seats?: number; expires?: number; label?: Pairs; shared?: boolean };

export function addJoinTokens(program: Command, cli: Cli): void {
  const group = program
    .command('join-tokens')
    .description('tokens with which brokers join')
    .addHelpText('after', examples('join-tokens create --seats 5', 'join-tokens list'));

  asksHub(group.command('create'))
    .description('make a join token; it is shown once')
    .option('--seats <n>', 'how many brokers may join with it (default: 1)', count)
    .option('--expires <duration>', 'how long it can be used, such as 30m, 1h or 7d (default: 1h)', durationS)
    .option(
      '--label <name=value>',
      'a label that every broker gets that joins with it; may be repeated',
      pair,
    )
    .option('--shared', 'brokers that join with it may be attached to many projects at a time')
    .addHelpText(
      'after',
      examples('join-tokens create', 'join-tokens create --seats 20 --expires 7d --label zone=eu'),
    )
    .action(
      cli.action<CreateOptions>(async (run) => {
        const { seats, expires, label, shared } = run.options;
        const body: Partial<CreateJoinTokenDto> = {
          ...(seats === undefined ? {} : { seats }),
          ...(expires === undefined ? {} : { expiresInS: expires }),
          ...(label === undefined ? {} : { labels: label }),
          ...(shared === undefined ? {} : { shared }),
        };
        const hub = await run.hub();
        // The hub keeps no answer with a secret in it, so a repeat would make a second token.
        const made = await run.spin('asking the hub', () =>
          hub.ask<CreatedJoinTokenDto>({ method: 'POST', path: '/join-tokens', body, repeat: 'harmful' }),
        );
        run.printer.data(made, () => [made.token]);
        run.printer.note(
          `Shown this once; ${made.seats === 1 ? 'one seat' : `${made.seats} seats`}, ` +
            `expires ${away(made.expiresAt, hub.hubNowMs)}. On the broker's machine:\n\n` +
            `  fairlead broker join ${hub.target.urls.join(',')} --token <the token>\n`,
        );
      }),
    );

  lists(group.command('list'))
    .description('list join tokens, newest first')
    .addHelpText('after', examples('join-tokens list', 'join-tokens list --watch 10'))
    .action(
      cli.action<PageOptions>((run) =>
        printList<JoinTokenDto>(run, '/join-tokens', {}, (nowMs) => [
          { title: 'ID', of: ({ id }) => id },
          { title: 'TOKEN', of: ({ prefix }) => `${prefix}...` },
          { title: 'SEATS', of: ({ seats, taken }) => `${taken}/${seats}` },
          { title: 'STATE', of: (token) => stateOf(token, nowMs), isState: true },
          { title: 'EXPIRES', of: ({ expiresAt }) => away(expiresAt, nowMs) },
          { title: 'LABELS', of: ({ labels }) => pairs(labels) },
        ]),
      ),
    );

  asksHub(group.command('revoke'))
    .description('make a join token useless; brokers that joined with it stay')
    .argument('<id>', 'the id of the token, as the list shows it')
    .addHelpText('after', examples('join-tokens revoke 0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33'))
    .action(
      cli.action<object, [string]>(async (run, id) => {
        const hub = await run.hub();
        const path = `/join-tokens/${encodeURIComponent(id)}`;
        await run.spin('asking the hub', () => hub.ask({ method: 'DELETE', path }));
        run.printer.data({ id, revoked: true }, () => [`Revoked ${id}.`]);
      }),
    );
}

function stateOf({ revokedAt, expiresAt, seats, taken }: JoinTokenDto, nowMs: number): string {
  if (revokedAt !== null) return 'revoked';
  if (Date.parse(expiresAt) <= nowMs) return 'expired';
  return taken >= seats ? 'used up' : 'usable';
}
