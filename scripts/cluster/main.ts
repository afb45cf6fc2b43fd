/**
 * `npm run dev:cluster`: a hub as it runs in production, on this machine and without containers: a PostgreSQL, three replicas
 * behind one address, and two brokers. It stays until Ctrl-C.
 *
 *   --roll      replaces every replica under load when it is up; the exit code is 0 only where no call was refused, and the
 *               report of each drain is clean
 *   --exit      ends everything when that is done
 *   --port <n>  of the one address (8080)
 *   --json      prints the outcome as one JSON object on the last line of standard output
 */
import { parseArgs } from 'node:util';
import { Screen } from '../demo/screen.js';
import { tellUsage } from '../support/usage.js';
import { DevCluster, type Rolled } from './dev-cluster.js';

const USAGE = 'usage: npm run dev:cluster -- [--roll] [--exit] [--port 8080] [--json]';

tellUsage(USAGE);
const values = read();
const port = Number(values.port);
if (!Number.isInteger(port) || port < 0 || port > 65_535) refuse(`${values.port} is no port`);

const screen = new Screen(values.json ? process.stderr : process.stdout);
const interrupted = new Promise<'interrupted'>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve('interrupted'));
});
const begunAt = performance.now();
const dev = await DevCluster.start(port, (line) => screen.note(line)).catch((error: unknown) =>
  fail(error instanceof Error ? error.message : String(error)),
);
const upMs = Math.round(performance.now() - begunAt);
screen.title(`Up in ${(upMs / 1_000).toFixed(1)} s, at ${dev.url}`);

let rolled: Rolled | undefined;
try {
  if (values.roll) {
    const outcome = await Promise.race([dev.roll((line) => screen.note(line)), interrupted]);
    if (outcome === 'interrupted') process.exitCode = 1;
    else {
      rolled = outcome;
      screen.title(rolled.ok ? 'Rolled, and nobody noticed.' : 'Rolled, and it was noticed.');
      screen.note(JSON.stringify(rolled, null, 2));
      process.exitCode = rolled.ok ? 0 : 1;
    }
  }
  if (!values.exit) {
    screen.title('In another shell:');
    screen.write(`  export FAIRLEAD_URL=${dev.url} FAIRLEAD_TOKEN=${dev.token}`);
    screen.write('  npx fairlead replicas list');
    screen.write('  npx fairlead brokers list');
    screen.write(
      '  npx fairlead agents create hello --broker laptop --start -- sh -c "while :; do date; sleep 1; done"',
    );
    screen.write('\nCtrl-C ends it.');
    await interrupted;
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  await dev.stop();
}
if (values.json)
  process.stdout.write(`${JSON.stringify({ ok: process.exitCode !== 1, upMs, rolled: rolled ?? null })}\n`);

function read() {
  try {
    return parseArgs({
      options: {
        roll: { type: 'boolean', default: false },
        exit: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        port: { type: 'string', default: '8080' },
      },
    }).values;
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function refuse(why: string): never {
  process.stderr.write(`${why}\n${USAGE}\n`);
  process.exit(2);
}

function fail(why: string): never {
  process.stderr.write(`${why}\n`);
  process.exit(1);
}
