/**
 * The benchmarks. README.md beside this file tells what each measures and how to read what it prints.
 *
 *     npm run bench -- <scenario> [--quick] [--json FILE] [--svg FILE] [--profile DIR] [--against NAME,...]
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(HERE);
const SCENARIOS = ['dispatch', 'http', 'brokers', 'storm', 'pinned-xmin', 'growth', 'costs'];
const USAGE = `npm run bench -- <${SCENARIOS.join('|')}> [--quick] [--json FILE] [--svg FILE] [--profile DIR] [--against NAME,...]\n`;

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        quick: { type: 'boolean', default: false },
        json: { type: 'string' },
        svg: { type: 'string' },
        profile: { type: 'string' },
        against: { type: 'string' },
      },
    });
    if (positionals.length === 1 && SCENARIOS.includes(positionals[0]))
      return { scenario: positionals[0], ...values };
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
  }
  process.stderr.write(USAGE);
  process.exit(2);
}

function progress(line) {
  process.stderr.write(`[${(performance.now() / 1000).toFixed(1).padStart(6)} s] ${line}\n`);
}

/** What a scenario needs that a fresh clone has not: the peers, and the product, as it is by now and not as it was built once. */
function prepare() {
  const npm = (folder, ...words) => {
    const { status } = spawnSync('npm', words, { cwd: folder, stdio: ['ignore', 2, 2] });
    if (status !== 0) throw new Error(`npm ${words.join(' ')} failed in ${folder}`);
  };
  if (!existsSync(resolve(HERE, 'node_modules/pg'))) {
    progress("installing the benchmarks' own packages");
    npm(HERE, 'ci', '--no-audit', '--no-fund');
  }
  if (!isBuilt()) {
    progress('building the product');
    npm(ROOT, 'run', 'build');
  }
}

/** Whether nothing that is built was changed since. */
function isBuilt() {
  const builtAt = statSync(resolve(ROOT, 'dist/src/hub/hub.js'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = ['src', 'migrations', 'scripts'].flatMap((folder) =>
    readdirSync(resolve(ROOT, folder), { recursive: true, withFileTypes: true }),
  );
  return sources.every(
    (entry) => !entry.isFile() || statSync(resolve(entry.parentPath, entry.name)).mtimeMs <= builtAt,
  );
}

/** What was measured; null where this is no clone. */
function commitOf() {
  const { status, stdout } = spawnSync('git', ['describe', '--always', '--dirty'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return status === 0 ? stdout.trim() : null;
}

function write(file, content) {
  mkdirSync(dirname(resolve(file)), { recursive: true });
  writeFileSync(file, content);
  progress(`wrote ${file}`);
}

async function main() {
  const { scenario, quick: isQuick, json, svg, profile, against } = readArguments();
  prepare();
  const { endAll } = await import('./child.mjs');
  const { Server } = await import('./database.mjs');
  const { describeMachine, machineLine } = await import('./machine.mjs');
  const { run: measure } = await import(`./scenarios/${scenario}.mjs`);

  let server;
  let ending;
  const end = () => (ending ??= endAll().finally(() => server?.stop()));
  const interrupted = new Promise((_resolve, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'])
      process.once(signal, () => reject(new Error(`ended by ${signal}`)));
  });
  try {
    progress('starting PostgreSQL');
    server = await Server.start();
    const machine = await describeMachine(server);
    const profileDir = profile === undefined ? undefined : resolve(profile);
    const only = against?.split(',');
    const { result, text, plot } = await Promise.race([
      measure({ server, isQuick, profileDir, only, progress }),
      interrupted,
    ]);
    process.stdout.write(`${scenario}${isQuick ? ', quick: fewer and shorter rounds' : ''}\n`);
    process.stdout.write(`${machineLine(machine)}\n\n${text}\n`);
    const name = resolve(HERE, 'results', `${scenario}${isQuick ? '-quick' : ''}`);
    const run = {
      scenario,
      isQuick,
      measuredAt: new Date().toISOString(),
      commit: commitOf(),
      machine,
      ...result,
    };
    write(json ?? `${name}.json`, `${JSON.stringify(run, null, 2)}\n`);
    write(svg ?? `${name}.svg`, plot);
  } finally {
    await end();
  }
}

main().then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
);
