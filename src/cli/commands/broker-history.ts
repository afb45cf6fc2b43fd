/** Who owned a broker, and when. */
import type { Command } from 'commander';
import type { StayDto } from '../../hub/registry/dto/stay.dto.js';
import type { Cli } from '../cli.js';
import { momentMs } from '../input/moment.js';
import { examples, lists, type PageOptions } from '../options.js';
import { span } from '../output/age.js';
import { printList } from './list.js';

type HistoryOptions = PageOptions & { at?: number };

export function addBrokerHistory(group: Command, cli: Cli): void {
  lists(group.command('history'))
    .description(
      'list the replicas that owned a broker within 30 days, newest first, and why each stay ended',
    )
    .argument('<broker>', 'id or name')
    .option(
      '--at <time>',
      'only the one at that time, such as 2026-08-01T14:03:07Z, or how long ago, such as 90m',
      momentMs,
    )
    .addHelpText(
      'after',
      examples('brokers history build-1', 'brokers history build-1 --at 2026-08-01T14:03:07Z --json'),
    )
    .action(
      cli.action<HistoryOptions, [string]>((run, broker) => {
        const { at } = run.options;
        const query = { at: at === undefined ? undefined : new Date(at).toISOString() };
        const path = `/brokers/${encodeURIComponent(broker)}/history`;
        return printList<StayDto>(run, path, query, (nowMs) => [
          { title: 'REPLICA', of: ({ replica }) => replica.name },
          { title: 'ID', of: ({ replica }) => replica.id },
          { title: 'EPOCH', of: ({ epoch }) => epoch },
          { title: 'FROM', of: ({ from }) => from },
          { title: 'TO', of: ({ to }) => to },
          {
            title: 'FOR',
            of: ({ from, to }) => span(((to === null ? nowMs : Date.parse(to)) - Date.parse(from)) / 1000),
          },
          { title: 'ENDED BY', of: ({ reason }) => reason },
        ]);
      }),
    );
}
