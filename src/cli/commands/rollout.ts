/** What became of brokers and commands when replicas were replaced. */
import { Option, type Command } from 'commander';
import type { RolloutDto } from '../../hub/drain/dto/rollout.dto.js';
import type { Client } from '../api/client.js';
import { lastRollout, readRollout, rolloutsSince, whenJudged } from '../api/rollouts.js';
import type { Cli } from '../cli.js';
import { EXIT, type ExitCode } from '../exit-code.js';
import { Fault, UsageFault } from '../fault.js';
import { count, durationS, upTo } from '../input/duration.js';
import { momentMs } from '../input/moment.js';
import type { Invocation } from '../invocation.js';
import { asksHub, examples, lists, type PageOptions } from '../options.js';
import { ROLLOUT_COLUMNS, rolloutLines, rolloutsLines, summaryOf } from '../output/rollout.js';
import { printList } from './list.js';

type ReportOptions = { last?: boolean; since?: number; expect?: number; wait: number };

/** A drain of a minute that has just begun, and the time until it was judged. */
const WAIT_S = 180;
/** As many as a hub keeps of a fleet that is rolled every day. */
const EXPECTED_MOST = 10_000;

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
          ...ROLLOUT_COLUMNS,
        ]),
      ),
    );

  asksHub(group.command('report'))
    .description('print the report of a drain, and fail unless nothing was lost, duplicated or reordered')
    .argument('[rollout]', 'id; the last one where it is left out')
    .addOption(new Option('--last', 'the last one').conflicts('since'))
    .option(
      '--since <time>',
      'every drain that began at this time or later, or so long ago (90m, 7d), as one report',
      momentMs,
    )
    .option(
      '--expect <n>',
      'with --since: fail where fewer replicas have drained',
      upTo(EXPECTED_MOST, count),
    )
    .option('--wait <duration>', 'wait so long for it to be judged', durationS, WAIT_S)
    .addHelpText(
      'after',
      examples(
        'rollout report',
        'rollout report --since 15m --expect 3',
        'rollout report --last --json | jq .report.gapMs',
      ),
    )
    .action(
      cli.action<ReportOptions, [string | undefined]>(async (run, id) => {
        const { since, expect } = run.options;
        if (since === undefined && expect !== undefined) throw new UsageFault('--expect needs --since.');
        if (since === undefined) return reportOne(run, await run.hub(), id);
        if (id !== undefined) throw new UsageFault('Give the id of a drain, or --since.');
        return reportSince(run, await run.hub(), since);
      }),
    );
}

async function reportOne(
  run: Invocation<ReportOptions>,
  hub: Client,
  id: string | undefined,
): Promise<ExitCode> {
  const rollout = await run.spin('waiting for the report', async () => {
    const first = id === undefined ? await lastRollout(hub) : await readRollout(hub, id);
    if (first === undefined) throw noneDrained('No replica has drained yet');
    if (first.report !== null) return first;
    const look = async () => [await readRollout(hub, first.id)];
    return (
      (await whenJudged(look, run.surroundings.clock, { withinMs: run.options.wait * 1_000 }))[0] ?? first
    );
  });
  run.printer.data(rollout, () => rolloutLines(rollout, run.printer.paint));
  return rollout.report?.clean === true ? EXIT.ok : EXIT.failed;
}

/** A roll drains every replica: one report of one of them says nothing of the others. */
async function reportSince(run: Invocation<ReportOptions>, hub: Client, sinceMs: number): Promise<ExitCode> {
  const { expect, wait } = run.options;
  const rollouts = await run.spin('waiting for the reports', () =>
    whenJudged(() => rolloutsSince(hub, sinceMs), run.surroundings.clock, {
      atLeast: expect,
      withinMs: wait * 1_000,
    }),
  );
  if (rollouts.length === 0) throw noneDrained('No replica has drained since then');
  const summary = summaryOf(rollouts, { sinceMs, expected: expect ?? null });
  run.printer.data(summary, () => rolloutsLines(summary, run.printer.paint));
  return summary.clean ? EXIT.ok : EXIT.failed;
}

function noneDrained(title: string): Fault {
  return new Fault(
    { title, code: 'not_found', remedy: 'Drain one: `fairlead replicas drain <id>`.' },
    EXIT.notFound,
  );
}
