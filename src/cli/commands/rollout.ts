/** What became of brokers and commands when replicas were replaced. */
import { Option, type Command } from 'commander';
import type { RolloutDto, RolloutPageDto } from '../../hub/drain/dto/rollout.dto.js';
import type { Client } from '../api/client.js';
import type { Cli } from '../cli.js';
import { EXIT } from '../exit-code.js';
import { Fault } from '../fault.js';
import { durationS } from '../input/duration.js';
import { asksHub, examples, lists, type PageOptions } from '../options.js';
import { rolloutLines } from '../output/rollout.js';
import { printList } from './list.js';

type ReportOptions = { last?: boolean; wait: number };

const LOOK_MS = 500;
const WAIT_S = 60;

export function addRollout(program: Command, cli: Cli): void {
  const group = program
    .command('rollout')
    .description('what became of brokers and commands when replicas were replaced')
    .addHelpText('after', examples('rollout report', 'rollout list'));

  lists(group.command('list'))
    .description('list the drains of the last 30 days, newest first')
    .addHelpText('after', examples('rollout list', 'rollout list --limit 5 --json'))
    .action(
      cli.action<PageOptions>((run) =>
        printList<RolloutDto>(run, '/rollouts', {}, () => [
          { title: 'ID', of: ({ id }) => id },
          { title: 'REPLICA', of: ({ replica }) => replica.name },
          { title: 'BEGUN', of: ({ begunAt }) => begunAt },
          { title: 'OUTCOME', of: ({ outcome }) => outcome },
          { title: 'MOVED', of: ({ report }) => report?.moved },
          { title: 'GAP MS', of: ({ report }) => report?.gapMs.max },
          { title: 'COMMANDS', of: ({ report }) => report?.commands },
          { title: 'CLEAN', of: ({ report }) => (report === null ? null : report.clean ? 'yes' : 'no') },
        ]),
      ),
    );

  asksHub(group.command('report'))
    .description('print the report of a drain, and fail unless nothing was lost, duplicated or reordered')
    .argument('[rollout]', 'id; the last one where it is left out')
    .addOption(new Option('--last', 'the last one'))
    .option('--wait <duration>', 'wait so long for it to be judged', durationS, WAIT_S)
    .addHelpText('after', examples('rollout report', 'rollout report --last --json | jq .report.gapMs'))
    .action(
      cli.action<ReportOptions, [string | undefined]>(async (run, id) => {
        const hub = await run.hub();
        const rollout = await run.spin('waiting for the report', () =>
          judged(hub, id, run.options.wait * 1_000, (ms) => run.surroundings.clock.pause(ms)),
        );
        run.printer.data(rollout, () => rolloutLines(rollout, run.printer.paint));
        return rollout.report?.clean === true ? EXIT.ok : EXIT.failed;
      }),
    );
}

async function judged(
  hub: Client,
  id: string | undefined,
  withinMs: number,
  pause: (ms: number) => Promise<void>,
): Promise<RolloutDto> {
  let rollout = id === undefined ? await last(hub) : await read(hub, id);
  for (let waitedMs = 0; rollout.report === null && waitedMs < withinMs; waitedMs += LOOK_MS) {
    await pause(LOOK_MS);
    rollout = await read(hub, rollout.id);
  }
  return rollout;
}

async function read(hub: Client, id: string): Promise<RolloutDto> {
  return hub.ask<RolloutDto>({ method: 'GET', path: `/rollouts/${encodeURIComponent(id)}` });
}

async function last(hub: Client): Promise<RolloutDto> {
  const page = await hub.ask<RolloutPageDto>({ method: 'GET', path: '/rollouts', query: { limit: 1 } });
  const [rollout] = page.items;
  if (rollout !== undefined) return rollout;
  throw new Fault(
    {
      title: 'No replica has drained yet',
      code: 'not_found',
      remedy: 'Drain one: `fairlead replicas drain <id>`.',
    },
    EXIT.notFound,
  );
}
