/** Checks from the outside that the hub kept its promises. */
import { Option, type Command } from 'commander';
import type * as VerifyProgram from '../../hub/verify/main.js';
import { readTrails } from '../api/trails.js';
import type { Cli } from '../cli.js';
import { EXIT } from '../exit-code.js';
import { Fault } from '../fault.js';
import type { Invocation } from '../invocation.js';
import { asksHub, examples } from '../options.js';
import { verdictLines } from '../output/verdict.js';
import { queryOf, ranges, type RangeOptions } from './trails.js';

type VerifyOptions = RangeOptions & {
  database?: string;
  file?: string;
  witness?: string[];
  answers?: string;
  settled?: boolean;
};

const WHAT_IT_PROVES = [
  '',
  'Each dispatch is to have taken a legal path to exactly one ending, and to have kept the order of its key. With',
  '--witness what was done at the brokers is to be what the hub says was done; with --answers what clients were',
  'told is to be true. The exit code is 1 where anything is not so. docs/verify.md has the rules and the files.',
].join('\n');

export function addVerify(program: Command, cli: Cli): void {
  ranges(
    asksHub(program.command('verify'))
      .description('check the trails of dispatches: one ending each, in order, done once')
      .addOption(
        new Option('--database <url>', 'read from this database instead of a hub').conflicts(['file']),
      )
      .addOption(new Option('--file <file>', 'read what `fairlead trails export` printed')),
  )
    .option('--witness <files...>', 'effects seen at brokers by something else than Fairlead')
    .option('--answers <file>', 'what clients were told')
    .option('--settled', 'nothing may be left that has not ended')
    .addHelpText('after', WHAT_IT_PROVES)
    .addHelpText(
      'after',
      examples(
        'verify',
        'verify --since 1h --settled',
        'verify --file trails.ndjson --witness effects-*.ndjson --answers answers.ndjson',
        'verify --database postgres://fairlead@db.example/fairlead --json | jq .byRule',
      ),
    )
    .action(
      cli.action<VerifyOptions>(async (run) => {
        run.hide(passwordOf(run.options.database));
        const program = await run.surroundings.programs.verify();
        const { settled, witness, answers } = run.options;
        const trails = await sourceOf(run, program);
        const verdict = await reported(program, () =>
          run.spin('reading trails', (say) =>
            program.verify(trails, {
              ...queryOf(run.options),
              isSettled: settled,
              witnesses: witness,
              answers,
              onProgress: (count) => say(`checked ${count} trails`),
            }),
          ),
        );
        run.printer.data(verdict, () => verdictLines(verdict, run.printer.paint));
        return verdict.clean ? EXIT.ok : EXIT.failed;
      }),
    );
}

async function sourceOf(
  run: Invocation<VerifyOptions>,
  program: typeof VerifyProgram,
): Promise<AsyncIterable<VerifyProgram.Given>> {
  const { database, file } = run.options;
  const query = queryOf(run.options);
  if (file !== undefined) return program.trailsOfFile(file);
  if (database !== undefined) return program.trailsOfDatabase(database, query);
  return given(readTrails(await run.hub(), query));
}

async function* given(items: AsyncIterable<{ id: string }>): AsyncGenerator<VerifyProgram.Given> {
  for await (const value of items) yield { value, where: `the dispatch ${value.id}` };
}

/** Evidence that cannot be read is a matter of the command line: it named the file. */
export async function reported<T>(program: typeof VerifyProgram, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof program.Malformed) {
      const remedy = 'docs/verify.md says what stands in a line; what was exported is kept in its order.';
      const title = 'The evidence cannot be read';
      throw new Fault({ title, code: 'malformed', detail: error.message, remedy }, EXIT.usage, {
        cause: error,
      });
    }
    if (error instanceof program.Unreachable) {
      const [title, remedy] = [
        'The database cannot be reached',
        'See that it runs, and what --database says.',
      ];
      throw new Fault({ title, code: 'unavailable', detail: error.message, remedy }, EXIT.unavailable, {
        cause: error,
      });
    }
    throw error;
  }
}

function passwordOf(url: string | undefined): string | undefined {
  return url !== undefined && URL.canParse(url) ? decodeURIComponent(new URL(url).password) : undefined;
}
