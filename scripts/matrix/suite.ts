import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run, type Identity } from '../../src/hub/database/embedded/run.js';
import type { Cell } from './cells.js';
import { NODES, POSTGRES } from './pins.js';
import { QUICK_SPECS } from './quick.js';
import type { Stage } from './stage.js';
import { endStragglers } from './stragglers.js';

export type Counts = { passed: number; failed: number; skipped: number };
/** What came of a suite: it is sound where there is no fault. */
export type Verdict = Counts & { faults: string[] };

export type JestReport = {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { fullName: string; status: string }[];
  }[];
};

const JEST = [
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  'node_modules/jest/bin/jest.js',
];
/** Several times what the tests take: who hangs is a failure, and not a run without an end. */
const LIMIT_MS = { quick: 600_000, whole: 3_600_000 };

export type Order = {
  cell: Cell;
  as: Identity;
  quick: boolean;
  cache: string;
  /** The file that all output of the tests goes to. */
  log: string;
  signal: AbortSignal;
};

/** Runs the tests on the stage of a cell, and reads from Jest's own report what came of them. */
export async function runSuite(stage: Stage, order: Order): Promise<Verdict> {
  const { cell, as, quick } = order;
  const missing = QUICK_SPECS.filter((spec) => quick && !existsSync(join(stage.project, spec)));
  if (missing.length > 0) return unsound(`there is no ${missing.join(', ')}`);
  const fitted = await stage.fit(cell, as, order.cache);
  const strangers = await versionFaults(cell, fitted, as);
  if (strangers.length > 0) return unsound(...strangers);

  const report = join(stage.home, 'report.json');
  const args = [...JEST, '--json', `--outputFile=${report}`];
  if (quick) args.push('--runTestsByPath', ...QUICK_SPECS);
  const ending = await spawned(fitted.node, args, fitted.programs, stage, order);
  if (!existsSync(report)) return unsound(ending ?? 'the tests left no report');
  return judged(JSON.parse(readFileSync(report, 'utf8')) as JestReport, ending);
}

/** A cell shows nothing that runs on other versions than it says. */
async function versionFaults(
  { pg, node }: Cell,
  programs: { node: string; postgres: string },
  as: Identity,
): Promise<string[]> {
  const wanted = [
    [programs.node, `v${NODES[node].version}`],
    [programs.postgres, `postgres (PostgreSQL) ${POSTGRES[pg].version.replace(/\.0-.*/, '')}`],
  ] as const;
  const faults: string[] = [];
  for (const [program, version] of wanted) {
    const { output } = await run(program, ['--version'], { as, withinMs: 20_000 });
    if (output !== version) faults.push(`${program} is "${output}", and not ${version}`);
  }
  return faults;
}

/** @returns how it ended where that was not well */
async function spawned(
  node: string,
  args: readonly string[],
  programs: string,
  stage: Stage,
  { as, quick, log, signal }: Order,
): Promise<string | undefined> {
  const limitMs = LIMIT_MS[quick ? 'quick' : 'whole'];
  const output = openSync(log, 'w');
  const child = spawn(node, args, {
    ...as,
    cwd: stage.project,
    // Nothing of the caller's settings: no database of theirs, no home, no variable of Fairlead.
    env: {
      PATH: [programs, process.env.PATH ?? ''].join(delimiter),
      HOME: stage.home,
      TMPDIR: stage.temporary,
      NO_COLOR: '1',
      ...(isCi() ? { CI: 'true' } : {}),
    },
    stdio: ['ignore', output, output],
    // Ctrl-C reaches this process alone, which ends all of it in order.
    detached: true,
  });
  closeSync(output);
  const ended = once(child, 'close') as Promise<[code: number | null, signal: string | null]>;
  const stop = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
  let clearing: Promise<unknown> | undefined;
  // Not its group alone: whoever has a database is known only while it lives.
  const end = (): void => void (clearing ??= endStragglers(stage.folder));
  stop.addEventListener('abort', end, { once: true });
  if (stop.aborted) end();
  const [code, killed] = await ended;
  stop.removeEventListener('abort', end);
  await clearing;
  if (signal.aborted) return 'it was interrupted';
  if (stop.aborted) return `it had not ended after ${limitMs / 60_000} minutes`;
  return code === 0 ? undefined : `Jest ended with ${killed ?? code}`;
}

export function isCi(env: NodeJS.ProcessEnv = process.env): boolean {
  return !['', '0', 'false'].includes(env.CI ?? '');
}

/** @param ending how Jest ended, where that was not well */
export function judged(report: JestReport, ending: string | undefined): Verdict {
  const faults = report.testResults.flatMap(({ name, status, message, assertionResults }) => {
    const failed = assertionResults.filter((test) => test.status === 'failed');
    // A file that could not be loaded has no tests that fail.
    if (failed.length === 0 && status === 'failed')
      return [`${name}: ${message.trim().split('\n')[0] ?? ''}`];
    return failed.map(({ fullName }) => fullName);
  });
  if (report.numPassedTests === 0) faults.push('no test passed');
  if (ending !== undefined && (faults.length === 0 || !ending.startsWith('Jest'))) faults.push(ending);
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests,
    skipped: report.numPendingTests + report.numTodoTests,
    faults,
  };
}

function unsound(...faults: string[]): Verdict {
  return { passed: 0, failed: 0, skipped: 0, faults };
}
