/** Whole trails, many at a time, for those who keep them or check them elsewhere. */
import { once } from 'node:events';
import { Option, type Command } from 'commander';
import { readTrails } from '../api/trails.js';
import type { Cli } from '../cli.js';
import { momentMs } from '../input/moment.js';
import { examples } from '../options.js';

/** Which trails are meant. */
export type RangeOptions = { since?: number; until?: number; broker?: string };

export function ranges(command: Command): Command {
  return command
    .option(
      '--since <time>',
      'only what was asked for at this time or later, or so long ago (90m, 7d)',
      momentMs,
    )
    .option('--until <time>', 'only what was asked for before this time, or so long ago', momentMs)
    .option('--broker <broker>', 'only those of one broker, by id or name');
}

export function queryOf({ since, until, broker }: RangeOptions) {
  return {
    ...(since === undefined ? {} : { sinceMs: since }),
    ...(until === undefined ? {} : { untilMs: until }),
    ...(broker === undefined ? {} : { broker }),
  };
}

export function addTrails(program: Command, cli: Cli): void {
  const group = program
    .command('trails')
    .description('the recorded steps of many dispatches')
    .addHelpText('after', examples('trails export > trails.ndjson'));

  ranges(
    group
      .command('export')
      .description('print every dispatch with its trail, oldest first, one JSON document a line')
      .addOption(
        new Option('--url <urls>', 'the hub, or several replicas with commas between (FAIRLEAD_URL)'),
      )
      .addOption(new Option('--token <token>', 'who is asking (FAIRLEAD_TOKEN)')),
  )
    .addHelpText(
      'after',
      examples('trails export > trails.ndjson', 'trails export --since 1h --broker build-1 | jq -c .trail'),
    )
    .action(
      cli.action<RangeOptions>(async (run) => {
        const hub = await run.hub();
        const { stdout } = run.surroundings;
        let count = 0;
        await run.spin('reading trails', async (say) => {
          for await (const facts of readTrails(hub, queryOf(run.options))) {
            if (!stdout.write(`${JSON.stringify(facts)}\n`)) await once(stdout, 'drain');
            count += 1;
            if (count % 1_000 === 0) say(`read ${count} trails`);
          }
        });
        run.printer.note(`${count} trails.`);
      }),
    );
}
