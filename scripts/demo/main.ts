/**
 * `npm run demo`: the main job, shown and proven on this machine.
 *
 *   --exit   ends everything when the steps are done; the exit code is 0 only if every step was proven
 *   --json   prints the outcome as one JSON object on the last line of standard output
 */
import { tellUsage } from '../support/usage.js';
import { Demo } from './demo.js';
import { Screen } from './screen.js';

const USAGE = 'usage: npm run demo -- [--exit] [--json]';

tellUsage(USAGE);
const flags = new Set(process.argv.slice(2));
const unknown = [...flags].filter((flag) => flag !== '--exit' && flag !== '--json');
if (unknown.length > 0) {
  process.stderr.write(`unknown: ${unknown.join(' ')}\n${USAGE}\n`);
  process.exit(2);
}

const screen = new Screen(flags.has('--json') ? process.stderr : process.stdout);
const demo = new Demo(screen);
const interrupted = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
});

const finished = demo.run();
const first = await Promise.race([finished, interrupted]);
if (first !== undefined) {
  const { accepted, succeeded, duplicates, lost } = first.dispatches;
  screen.title(first.ok ? 'Proven.' : 'Not proven.');
  screen.write(`${accepted} accepted, ${succeeded} succeeded, ${duplicates} duplicates, ${lost} lost`);
  if (!flags.has('--exit') && demo.handles !== undefined) await stayUp(demo.handles);
}
await demo.end();
if (flags.has('--json') && first !== undefined) process.stdout.write(`${JSON.stringify(first)}\n`);
process.exitCode = first?.ok === true ? 0 : 1;

async function stayUp({ url, token }: { url: string; token: string }): Promise<void> {
  screen.title('Everything is still up. In another shell:');
  screen.write(`  export FAIRLEAD_URL=${url} FAIRLEAD_TOKEN=${token}`);
  screen.write('  npx fairlead replicas list');
  screen.write('  npx fairlead brokers list');
  screen.write('  npx fairlead dispatches list');
  screen.write(
    '  npx fairlead agents create hello --broker laptop --start -- sh -c "while :; do date; sleep 1; done"',
  );
  screen.write('  npx fairlead agents logs hello');
  screen.write('\nCtrl-C ends it.');
  await interrupted;
}
