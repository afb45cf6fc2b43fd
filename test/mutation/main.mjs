// `npm run test:mutation`: changes what decides without a database in small ways, one at a time, and demands that the
// specs beside it notice at least 80 of 100. Installs what it needs on its first run, and writes docs/mutation.md, where
// every survivor has a reason; what follows `--` goes to Stryker, such as `--mutate src/hub/dispatch/state.ts`, and then
// the page stays as it is. Exit code 1 where the score is lower, or a survivor has no reason.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mutationPage, survivorsIn } from './page.mjs';
import { REASONS } from './reasons.mjs';

const FOLDER = 'test/mutation';
const STRYKER = `${FOLDER}/node_modules/@stryker-mutator/core/bin/stryker.js`;
const REPORT = `${FOLDER}/results/mutation.json`;
const PAGE = 'docs/mutation.md';

process.exitCode = main(process.argv.slice(2));

function main(asked) {
  if (!existsSync(STRYKER)) {
    const { status } = run('npm', ['ci', '--no-audit', '--no-fund', '--prefix', FOLDER]);
    if (status !== 0) return 1;
  }
  rmSync(REPORT, { force: true });
  const { status } = run(process.execPath, [STRYKER, 'run', `${FOLDER}/stryker.config.mjs`, ...asked]);
  if (!existsSync(REPORT)) return 1;
  const survivors = survivorsIn(JSON.parse(readFileSync(REPORT, 'utf8')), REASONS);
  const unexplained = survivors.filter(({ reason }) => reason === undefined);
  for (const { file, line, original, replacement } of unexplained) {
    process.stderr.write(
      `no reason is given why this survives: ${file}:${line}: ${original} -> ${replacement}\n`,
    );
  }
  if (asked.length === 0 && unexplained.length === 0) {
    writeFileSync(PAGE, mutationPage(JSON.parse(readFileSync(REPORT, 'utf8')), survivors));
  }
  return status === 0 && unexplained.length === 0 ? 0 : 1;
}

function run(program, args) {
  return spawnSync(program, args, { stdio: 'inherit' });
}
