/**
 * The table of sizes in docs/operations.md, of the runs of the benchmarks that were accepted: bench/results keeps them.
 *
 *     node dist/scripts/sizing.js            writes it
 *     node dist/scripts/sizing.js --check    exit code 1 where what is committed differs
 */
import { existsSync, readFileSync } from 'node:fs';
import { hold } from './committed.js';
import { readRun, SCENARIOS } from './sizing/run.js';
import { placed, sizingTable, type Runs } from './sizing/table.js';

const PAGE = 'docs/operations.md';

const kept = SCENARIOS.flatMap((scenario) => {
  const path = `bench/results/${scenario}.json`;
  return existsSync(path) ? [[scenario, readRun(scenario, readFileSync(path, 'utf8'))]] : [];
});
const page = placed(readFileSync(PAGE, 'utf8'), sizingTable(Object.fromEntries(kept) as Runs));
hold({ files: new Map([[PAGE, page]]), writtenBy: 'npm run sizing:write' }, process.argv.slice(2));
