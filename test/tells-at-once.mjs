/**
 * Tells of a test that failed as soon as it did, and what was under way where the run is cut off (SIGTERM, as by a limit
 * of time): a run that hangs says where, and one whose tests all wait in vain says so before the last of them has.
 */
import { relative } from 'node:path';
import { performance } from 'node:perf_hooks';

const CUT_OFF = 143;

export default class TellsAtOnce {
  /** Of each file that is under way: when it began, and which of its tests began last. */
  #running = new Map();

  constructor({ rootDir }) {
    this.nameOf = ({ path }) => relative(rootDir, path);
  }

  onRunStart() {
    process.once('SIGTERM', () => {
      for (const [file, { sinceMs, test }] of this.#running) {
        const where = test === undefined ? 'before its first test' : `at or after: ${test}`;
        tell(`cut off after ${secondsSince(sinceMs)} s: ${file}, ${where}`);
      }
      process.exit(CUT_OFF);
    });
  }

  onTestFileStart(file) {
    this.#running.set(this.nameOf(file), { sinceMs: performance.now() });
  }

  onTestCaseStart(file, { ancestorTitles, title }) {
    const running = this.#running.get(this.nameOf(file));
    if (running !== undefined) running.test = [...ancestorTitles, title].join(' › ');
  }

  onTestCaseResult(file, { status, fullName, duration, failureMessages }) {
    if (status !== 'failed') return;
    const [why = ''] = (failureMessages[0] ?? '').split('\n');
    tell(`failed after ${Math.round((duration ?? 0) / 1_000)} s: ${this.nameOf(file)}, ${fullName}: ${why}`);
  }

  onTestFileResult(file) {
    this.#running.delete(this.nameOf(file));
  }
}

function tell(text) {
  process.stderr.write(`${text}\n`);
}

function secondsSince(ms) {
  return Math.round((performance.now() - ms) / 1_000);
}
