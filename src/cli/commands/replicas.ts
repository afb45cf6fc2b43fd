/** The hub's own processes. */
import type { Command } from 'commander';
import type { DrainReplicaDto, ReplicaDto, ReplicaPageDto } from '../../hub/drain/dto/replica.dto.js';
import type { Cli } from '../cli.js';
import { asksHub, examples, watches, type WatchOptions } from '../options.js';
import { count } from '../input/duration.js';
import { age } from '../output/age.js';
import { table, type Column } from '../output/table.js';
import { showWatched } from '../watch.js';

export function addReplicas(program: Command, cli: Cli): void {
  const group = program
    .command('replicas')
    .description('the processes that make up the hub')
    .addHelpText('after', examples('replicas list', 'replicas drain 0198c0de-0000-7000-8000-000000000001'));

  watches(asksHub(group.command('list')))
    .description('list replicas that live, and those that were gone within the last day')
    .addHelpText('after', examples('replicas list', 'replicas list --watch'))
    .action(
      cli.action<WatchOptions>(async (run) => {
        const hub = await run.hub();
        await showWatched(run, hub, async (signal) => {
          const page = await hub.ask<ReplicaPageDto>({ method: 'GET', path: '/replicas', signal });
          const lines = () => table(page.items, columns(hub.hubNowMs), run.printer.paint);
          return { document: page, lines, notes: [] };
        });
      }),
    );

  asksHub(group.command('drain'))
    .description('have a replica hand over its brokers and end, wherever it runs')
    .argument('<replica>', 'id')
    .option('--deadline <seconds>', 'give up waiting for brokers to move after this long', count)
    .addHelpText('after', examples('replicas drain 0198c0de-0000-7000-8000-000000000001 --deadline 30'))
    .action(
      cli.action<{ deadline?: number }, [string]>(async (run, id) => {
        const { deadline } = run.options;
        const body: DrainReplicaDto = deadline === undefined ? {} : { deadlineS: deadline };
        const path = `/replicas/${encodeURIComponent(id)}/drain`;
        const hub = await run.hub();
        const row = await hub.ask<ReplicaDto>({ method: 'POST', path, body });
        run.printer.data(row, () => [
          `${row.name} is being drained: see \`fairlead replicas list --watch\`.`,
        ]);
      }),
    );
}

function columns(nowMs: number): Column<ReplicaDto>[] {
  return [
    { title: 'ID', of: ({ id }) => id },
    { title: 'NAME', of: ({ name }) => name },
    { title: 'STATE', of: ({ state }) => state, isState: true },
    { title: 'BROKERS', of: ({ brokers }) => brokers },
    { title: 'SOFTWARE', of: ({ software }) => software },
    { title: 'URL', of: ({ publicUrl }) => publicUrl },
    { title: 'AGE', of: ({ startedAt }) => age(startedAt, nowMs) },
    { title: 'SEEN', of: ({ lastSeenAt }) => age(lastSeenAt, nowMs) },
  ];
}
