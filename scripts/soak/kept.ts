/**
 * `npm run soak:kept`: the soaks of all seeds that once were not clean, one after the other.
 *
 *   <seed>...     these alone
 *   --list        prints them with what was found, and does nothing
 *
 * The exit code is 0 only where each is clean now; 1 where one is not, and 2 where the command line cannot be meant.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { tellUsage } from '../support/usage.js';
import { argumentsOfKept, KEPT_SEEDS, type KeptSeed } from './kept-seeds.js';

const SOAK = fileURLToPath(new URL('./main.js', import.meta.url));
const USAGE = 'usage: npm run soak:kept -- [SEED...] [--list]';

const over = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => over.abort());

process.exitCode = await main();

async function main(): Promise<number> {
  tellUsage(USAGE);
  let asked: { seeds: readonly KeptSeed[]; isList: boolean };
  try {
    asked = readAsked(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
    return 2;
  }
  if (asked.isList) {
    for (const kept of asked.seeds) process.stdout.write(`${lineOf(kept)}\n`);
    return 0;
  }
  const broken: number[] = [];
  for (const kept of asked.seeds) {
    process.stderr.write(`${lineOf(kept)}\n`);
    if (!(await isClean(kept))) broken.push(kept.seed);
    if (over.signal.aborted) return 1;
  }
  const told = broken.length === 0 ? 'clean' : `NOT clean: ${broken.join(', ')}`;
  process.stderr.write(`${asked.seeds.length} kept seeds: ${told}\n`);
  return broken.length === 0 ? 0 : 1;
}

/** @throws Error where it cannot be meant */
function readAsked(argv: string[]): { seeds: readonly KeptSeed[]; isList: boolean } {
  const { values, positionals } = parseArgs({
    args: argv,
    options: { list: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const isKept = (text: string) => KEPT_SEEDS.some(({ seed }) => String(seed) === text);
  const strange = positionals.filter((text) => !isKept(text));
  if (strange.length > 0) throw new Error(`no seed is kept that is ${strange.join(', ')}`);
  const seeds =
    positionals.length === 0
      ? KEPT_SEEDS
      : KEPT_SEEDS.filter(({ seed }) => positionals.includes(String(seed)));
  return { seeds, isList: values.list };
}

/** Its own processes end with it, and what they wrote stays where it is not clean. */
async function isClean(kept: KeptSeed): Promise<boolean> {
  const child = spawn(process.execPath, [...process.execArgv, SOAK, ...argumentsOfKept(kept)], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const end = () => child.kill('SIGTERM');
  over.signal.addEventListener('abort', end);
  await once(child, 'exit');
  over.signal.removeEventListener('abort', end);
  return child.exitCode === 0;
}

function lineOf(kept: KeptSeed): string {
  return `npm run soak -- ${argumentsOfKept(kept).join(' ')}\n    ${kept.found} (mended ${kept.mended})`;
}
