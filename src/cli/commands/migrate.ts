/** Moving a hub from one database to another. This loads the hub itself. */
import type { Command } from 'commander';
import type { Cli } from '../cli.js';
import { EXIT } from '../exit-code.js';
import { Fault } from '../fault.js';
import { examples } from '../options.js';
import { awayOf } from './hub.js';

const WHAT_IT_DOES = [
  '',
  'The target must be empty, and no replica alive on the source. What was cut short goes on with the same command. At the',
  'end both are compared, table by table. docs/operations.md has the whole move, with the secrets that go along.',
].join('\n');

export function addMigrate(program: Command, cli: Cli): void {
  const migrate = program
    .command('migrate')
    .description('move a hub to another database')
    .addHelpText('after', examples('migrate copy --to postgres://fairlead@db.example/fairlead'));

  migrate
    .command('copy')
    .description('copy all that a hub has into an empty database, and prove that it is there')
    .option('--from <url>', 'the database of the hub (default: the embedded one of FAIRLEAD_DATA_DIR)')
    .requiredOption('--to <url>', 'an empty database')
    .option('--json', 'print one JSON document')
    .addHelpText('after', WHAT_IT_DOES)
    .addHelpText(
      'after',
      examples(
        'migrate copy --to postgres://fairlead@db.example/fairlead',
        'migrate copy --from postgres://old.example/fairlead --to postgres://new.example/fairlead --json',
      ),
    )
    .action(
      cli.action<{ from?: string; to: string }>(async (run) => {
        const { env, programs } = run.surroundings;
        const { from, to } = run.options;
        for (const url of [from, to]) run.hide(passwordOf(url));
        const { copyHub } = await programs.hub();
        const copied = await run.spin('copying', async (say) => {
          try {
            return await copyHub(env, { from, to, onProgress: say });
          } catch (error) {
            throw faultOf(error);
          }
        });
        const { tables, rows, isResumed } = copied;
        run.printer.data(copied, () => [
          ...tables.filter((table) => table.rows > 0).map((table) => `${table.name}: ${table.rows} rows`),
          `Copied ${rows} rows of ${tables.length} tables${isResumed ? ', going on where it was cut short' : ''}; both hold the same.`,
        ]);
      }),
    );
}

const TITLES: Readonly<Record<string, string>> = {
  copy_differs: 'The copy is not what its source is',
  copy_source_unlocked: 'The copy was stopped',
};

/** Known by shape, so that the hub need not be loaded for it. */
function faultOf(error: unknown): unknown {
  const { code, message, remedy } = error as { code?: unknown; message: string; remedy?: unknown };
  if (typeof code !== 'string' || !code.startsWith('copy_') || typeof remedy !== 'string') {
    return (
      awayOf(error, 'See that both servers run and take connections, and do the same again: it goes on.') ??
      error
    );
  }
  const isUnlike = code === 'copy_differs';
  const title = TITLES[code] ?? 'The copy was refused';
  return new Fault({ title, code, detail: message, remedy }, isUnlike ? EXIT.failed : EXIT.conflict, {
    cause: error,
  });
}

function passwordOf(url: string | undefined): string | undefined {
  const password = url !== undefined && URL.canParse(url) ? decodeURIComponent(new URL(url).password) : '';
  return password === '' ? undefined : password;
}
