/** Loads that users put on a hub of their own, to see what it does. */
import type { Command } from 'commander';
import type { Cli } from '../cli.js';
import { EXIT } from '../exit-code.js';
import { count, durationS, upTo } from '../input/duration.js';
import { asksHub, examples } from '../options.js';
import type { Paint } from '../output/colour.js';
import { facts } from '../output/table.js';
import type { LoadSummary } from '../surroundings.js';
import { untilSignal } from '../until-signal.js';
import { translated } from './broker.js';
import { withSeats } from './seats.js';

type BrokersOptions = { count: number; seconds: number; rate: number; storm?: boolean };

const COUNT_MOST = 10_000;
const SECONDS_MOST = 86_400;
/** Beyond the load itself, so that a late join still finds its seat. */
const TOKEN_SPARE_S = 600;

const WHAT_IT_DOES = [
  '',
  'The brokers are simulated, all in this process: each joins with a seat of one join token, links, beats, and answers',
  'broker.ping. Their keys are kept in memory alone. It ends by itself after --seconds, or at Ctrl-C: then each says',
  'goodbye and the join token is revoked. The brokers stay listed, as `offline`, under names that begin with load-.',
  'The exit code is 1 where not all were linked in the end. docs/load.md tells how to read the figures.',
].join('\n');

export function addLoad(program: Command, cli: Cli): void {
  const load = program
    .command('load')
    .description('put a load on a hub of your own, to see what it does')
    .addHelpText('after', examples('load brokers --count 500', 'load brokers --count 500 --storm'));

  asksHub(load.command('brokers'))
    .description('link many simulated brokers to the hub')
    .option('--count <n>', `how many, 1 to ${COUNT_MOST}`, upTo(COUNT_MOST, count), 100)
    .option(
      '--seconds <duration>',
      'when it ends, from the first join on, at most 1d',
      upTo(SECONDS_MOST, durationS),
      60,
    )
    .option('--rate <n>', 'how many begin to join in a second', upTo(COUNT_MOST, count), 100)
    .option('--storm', 'end sooner, once links were lost after all had one, and all have one again')
    .addHelpText('after', WHAT_IT_DOES)
    .addHelpText(
      'after',
      examples(
        'load brokers',
        'load brokers --count 2000 --rate 200 --seconds 5m',
        'load brokers --count 1000 --storm --json | jq .storms',
      ),
    )
    .action(
      cli.action<BrokersOptions>(async (run) => {
        const { options, printer, surroundings } = run;
        const hub = await run.hub();
        const { loadBrokers } = await surroundings.programs.broker();
        const seats = {
          seats: options.count,
          expiresInS: options.seconds + TOKEN_SPARE_S,
          labels: { 'fairlead.load': 'brokers' },
        };
        return withSeats(run, hub, seats, async (token) => {
          const summary = await loaded((signal) =>
            translated(() =>
              loadBrokers({
                urls: hub.target.urls,
                token,
                count: options.count,
                ratePerS: options.rate,
                seconds: options.seconds,
                untilStorm: options.storm === true,
                signal,
                onProgress: (line) => void surroundings.stderr.write(`${line}\n`),
              }),
            ),
          );
          printer.data(summary, () => linesOf(summary, printer.paint));
          printer.note('The brokers stay listed as offline; their keys are gone.');
          return summary.linked === summary.count ? EXIT.ok : EXIT.failed;
        });
      }),
    );
}

async function loaded(work: (signal: AbortSignal) => Promise<LoadSummary>): Promise<LoadSummary> {
  let summary: LoadSummary | undefined;
  await untilSignal(['SIGINT', 'SIGTERM'], async (signal) => {
    summary = await work(signal);
  });
  if (summary === undefined) throw new Error('the load ended without a summary');
  return summary;
}

function linesOf(summary: LoadSummary, paint: Paint): string[] {
  const { linkMs, storms, troubles } = summary;
  const rows: [string, string][] = [
    ['linked', `${summary.linked} of ${summary.count}`],
    ['until all were linked', spanOf(summary.allLinkedMs)],
    ['a link, p50', spanOf(linkMs.p50)],
    ['a link, p99', spanOf(linkMs.p99)],
    ['reconnects', String(summary.reconnects)],
    ['beats', String(summary.beats)],
    ['commands answered', String(summary.commands)],
    ...storms.map(({ lost, relinkedMs }): [string, string] => [
      `storm of ${lost}`,
      relinkedMs === null ? 'not all are linked again' : `all linked again after ${spanOf(relinkedMs)}`,
    ]),
    ...troubles.map(({ trouble, times }): [string, string] => [`met ${times} times`, trouble]),
  ];
  return facts(rows, paint);
}

function spanOf(ms: number | null): string {
  if (ms === null) return '-';
  return ms < 1_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
