import { readFileSync } from 'node:fs';
import { isColoured, painter } from '../../src/cli/output/colour.js';
import { table } from '../../src/cli/output/table.js';
import { nameOf, type Cell } from './cells.js';
import type { Counts } from './suite.js';

/** What became of a cell. */
export type CellOutcome = Cell &
  Counts & {
    name: string;
    state: 'passed' | 'failed' | 'left out';
    seconds: number;
    /** What is wrong, or why it was left out. */
    faults: string[];
    /** The output of a cell that failed. */
    log?: string;
  };

export type Outcome = { ok: boolean; quick: boolean; seconds: number; cells: CellOutcome[] };

const SHOWN_FAULTS = 20;
const SHOWN_LINES = 60;

/** What is told while the cells run, and at the end; with `--json` on standard error, to leave the other to the outcome. */
export class Report {
  constructor(private readonly out: NodeJS.WritableStream & { isTTY?: boolean }) {}

  begin(cell: Cell, at: number, of: number): void {
    this.write(`[${at}/${of}] ${nameOf(cell)} ...`);
  }

  end({ name, state, seconds, passed, failed, skipped, faults, log }: CellOutcome): void {
    const paint = painter(isColoured(this.out, process.env));
    if (state === 'left out') return this.write(`left out  ${name}: ${faults.join(', ')}`);
    const mark = state === 'passed' ? paint('green', 'ok  ') : paint('red', 'FAIL');
    this.write(
      `${mark}  ${name.padEnd(22)} ${String(seconds).padStart(5)} s  ` +
        `${passed} passed, ${failed} failed, ${skipped} skipped`,
    );
    for (const fault of faults.slice(0, SHOWN_FAULTS)) this.write(`      ${fault}`);
    if (faults.length > SHOWN_FAULTS) this.write(`      and ${faults.length - SHOWN_FAULTS} more`);
    if (log === undefined) return;
    const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
    this.write(`      the end of ${log}:`);
    for (const line of lines.slice(-SHOWN_LINES)) this.write(`      | ${line}`);
  }

  sum({ ok, cells, seconds }: Outcome): void {
    const paint = painter(isColoured(this.out, process.env));
    const lines = table(
      cells,
      [
        { title: 'PostgreSQL', of: ({ pg }) => pg },
        { title: 'Node', of: ({ node }) => node },
        { title: 'user', of: ({ user }) => user },
        { title: 'state', of: ({ state }) => state, isState: true },
        { title: 'seconds', of: (cell) => cell.seconds },
        { title: 'passed', of: ({ passed }) => passed },
        { title: 'failed', of: ({ failed }) => failed },
        { title: 'skipped', of: ({ skipped }) => skipped },
      ],
      paint,
    );
    this.write(`\n${lines.join('\n')}\n`);
    const counted = (state: CellOutcome['state']): number =>
      cells.filter((cell) => cell.state === state).length;
    this.write(
      `${counted('passed')} cells passed, ${counted('failed')} failed, ${counted('left out')} left out, ` +
        `in ${seconds} s${ok || counted('failed') > 0 ? '' : ': not proven'}`,
    );
  }

  write(text: string): void {
    this.out.write(`${text}\n`);
  }
}
