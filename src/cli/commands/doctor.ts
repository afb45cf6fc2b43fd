/** Looks for what is wrong with a hub's installation, whether a hub runs or not. This loads the hub itself. */
import type { Command } from 'commander';
import type { Diagnosis, FindingCode } from '../surroundings.js';
import type { Cli } from '../cli.js';
import { EXIT, type ExitCode } from '../exit-code.js';
import { examples } from '../options.js';
import { diagnosisLines } from '../output/diagnosis.js';

const WHAT_IT_LOOKS_AT = [
  '',
  'It reads the environment that `fairlead hub start` would have, and looks at configuration, secrets, database, LISTEN,',
  'schema, replicas, seal keys and disk. It changes nothing. The exit code is 78 where the configuration is broken, 7',
  'where the database cannot be reached, 1 where anything else is an error, with --strict also for a warning, and 0',
  'otherwise. docs/doctor.md has all findings.',
].join('\n');

const OF_CONFIG: readonly FindingCode[] = [
  'config_broken',
  'secret_missing',
  'secret_malformed',
  'secret_weak',
];
const OF_THE_WAY: readonly FindingCode[] = [
  'database_unreachable',
  'database_untrusted',
  'database_refuses',
  'database_missing',
  'database_full',
  'embedded_failed',
];

export function addDoctor(program: Command, cli: Cli): void {
  program
    .command('doctor')
    .description('find what is wrong with the installation of a hub, and what to do about it')
    .option('--strict', 'a warning is a failure, too')
    .option('--json', 'print one JSON document')
    .addHelpText('after', WHAT_IT_LOOKS_AT)
    .addHelpText('after', examples('doctor', 'doctor --strict --json | jq .findings'))
    .action(
      cli.action<{ strict?: boolean }>(async (run) => {
        const { env, programs } = run.surroundings;
        const { examineHub } = await programs.hub();
        const diagnosis = await run.spin('looking', () => examineHub(env));
        run.printer.data(diagnosis, () => diagnosisLines(diagnosis, run.printer.paint));
        return exitCodeOf(diagnosis, run.options.strict === true);
      }),
    );
}

function exitCodeOf({ findings }: Diagnosis, isStrict: boolean): ExitCode {
  const has = (codes: readonly string[]) => findings.some(({ code }) => codes.includes(code));
  if (has(OF_CONFIG)) return EXIT.config;
  if (has(OF_THE_WAY)) return EXIT.unavailable;
  const fails = (severity: string) => severity === 'error' || (isStrict && severity === 'warning');
  return findings.some(({ severity }) => fails(severity)) ? EXIT.failed : EXIT.ok;
}
