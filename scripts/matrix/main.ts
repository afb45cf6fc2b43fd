/**
 * `npm run test:matrix`: the tests on each supported PostgreSQL and Node, as root and as an ordinary user. Its options
 * are told by `--help`; the exit code is 0 only if every cell passed, 130 where it was interrupted, and 2 where what
 * was asked for cannot be meant.
 */
import { readOptions, USAGE, UsageError, type Options } from './options.js';
import { Report } from './report.js';
import { Round } from './round.js';

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let options: Options;
  try {
    options = readOptions(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${USAGE}`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    process.stderr.write('the programs that are fetched run on Linux on x64 alone\n');
    return 1;
  }

  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => interruption.abort());
  }
  const report = new Report(options.json ? process.stderr : process.stdout);
  try {
    const outcome = await new Round(options, report, interruption.signal).run();
    report.sum(outcome);
    if (options.json) process.stdout.write(`${JSON.stringify(outcome)}\n`);
    if (interruption.signal.aborted) return 130;
    return outcome.ok ? 0 : 1;
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    return 130;
  }
}
