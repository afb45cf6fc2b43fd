/** Starting and minding a hub on this machine. These load the hub itself, which nothing else does; its keys are asked for by HTTP. */
import type { Command } from 'commander';
import type { Cli } from '../cli.js';
import { EXIT } from '../exit-code.js';
import { ConfigFault, Fault } from '../fault.js';
import { count } from '../input/duration.js';
import { examples } from '../options.js';
import { untilSignal } from '../until-signal.js';
import { addKeys } from './keys.js';

type DrainOptions = { local?: boolean; deadline?: number };

export function addHub(program: Command, cli: Cli): void {
  const hub = program
    .command('hub')
    .description('run a hub on this machine')
    .addHelpText('after', examples('hub start', 'hub drain --local'));

  hub
    .command('start')
    .description('run a replica until SIGTERM or SIGINT, which drain it; a second signal ends it at once')
    .addHelpText(
      'after',
      examples('hub start', 'hub start   # without DATABASE_URL it runs a PostgreSQL of its own'),
    )
    .action(
      cli.action(async ({ surroundings: { env, programs } }) => {
        await untilSignal(['SIGTERM', 'SIGINT'], async (signal) => {
          const { runHub } = await programs.hub();
          await reported(() => runHub(env, signal));
        });
        return process.exitCode === undefined || process.exitCode === 0 ? EXIT.ok : EXIT.failed;
      }),
    );

  hub
    .command('check')
    .description('say whether a replica would take this environment, and start nothing')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('hub check'))
    .action(
      cli.action(async ({ surroundings: { env, programs }, printer }) => {
        const { checkHub } = await programs.hub();
        await reported(() => Promise.resolve().then(() => checkHub(env)));
        printer.data({ accepted: true }, () => ['A replica would take this environment.']);
      }),
    );

  hub
    .command('migrate')
    .description('bring the schema of the database up to date')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('hub migrate'))
    .action(
      cli.action(async ({ surroundings: { env, programs }, printer }) => {
        const { migrateHub } = await programs.hub();
        const migrations = await reported(() => migrateHub(env));
        const lines =
          migrations.length === 0 ? ['The schema is up to date.'] : migrations.map((name) => `ran ${name}`);
        printer.data({ migrations }, () => lines);
      }),
    );

  hub
    .command('retention')
    .description(
      'forget commands that are older than the history is kept, where the replicas do not by themselves',
    )
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      examples(
        'hub retention',
        'hub retention   # the job of an installation whose replicas have FAIRLEAD_RETENTION=off',
      ),
    )
    .action(
      cli.action(async ({ surroundings: { env, programs }, printer }) => {
        const { forgetOld } = await programs.hub();
        const { days, commands, isLeft } = await reported(() => forgetOld(env));
        const caught = commands === 0 ? [] : [`forgot ${commands} that stood apart`];
        const left = isLeft ? ['Somebody holds the history: the rest is left for the next time.'] : [];
        const lines = [...days.map((day) => `forgot the commands of ${day}`), ...caught, ...left];
        printer.data({ days, commands, isLeft }, () =>
          lines.length === 0 ? ['Nothing is older than the history is kept.'] : lines,
        );
        return isLeft ? EXIT.failed : EXIT.ok;
      }),
    );

  hub
    .command('drain')
    .description('take the replica on this machine out of service, and wait until its work is handed over')
    .requiredOption('--local', 'the replica that runs on this machine with this environment')
    .option('--deadline <seconds>', 'give up waiting for brokers to move after this long', count)
    .addHelpText('after', examples('hub drain --local', 'hub drain --local --deadline 120'))
    .action(
      cli.action<DrainOptions>(
        async ({ surroundings: { env, programs }, printer, options: { deadline } }) => {
          const { drainLocal } = await programs.hub();
          const onProgress = (line: string): void => printer.note(line);
          const ended = await reported(() =>
            drainLocal(env, { onProgress, ...(deadline === undefined ? {} : { deadlineS: deadline }) }),
          );
          printer.lines([ended === 'drained' ? 'Drained.' : 'No hub runs here; there is nothing to drain.']);
        },
      ),
    );

  addKeys(hub, cli);
}

/** Gives the hub's configuration errors and its database's absence their exit codes; known by shape, so that the hub need not be loaded for it. */
async function reported<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const lines = reportOf(error);
    if (lines === undefined) throw awayOf(error) ?? error;
    const fields = lines.map(fieldOf);
    throw new ConfigFault({ fields, remedy: 'Mend the variables that are named.' }, { cause: error });
  }
}

/** Where the database is away, what it or the way to it said tells more than that it is. */
export function awayOf(
  error: unknown,
  remedy = 'Look whether the server that DATABASE_URL names runs and takes more connections, and try again.',
): Fault | undefined {
  const { code, message, cause } = error as { code?: unknown; message: string; cause?: unknown };
  if (code !== 'database_unavailable' || !(cause instanceof Error)) return undefined;
  return new Fault({ title: message, code, detail: cause.message, remedy }, EXIT.unavailable, {
    cause: error,
  });
}

/** A line of the report is the name of a variable and the rule that it breaks. */
function fieldOf(line: string): { path: string; rule: string } {
  const at = line.indexOf(': ');
  return at < 0 ? { path: '', rule: line } : { path: line.slice(0, at), rule: line.slice(at + 2) };
}

function reportOf(error: unknown): string[] | undefined {
  if (typeof error !== 'object' || error === null || !('report' in error)) return undefined;
  return typeof error.report === 'function' ? (error as { report(): string[] }).report() : undefined;
}
