import { existsSync, statSync } from 'node:fs';
import { open, readFile, rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Place } from './place.js';
import { disown, postmasterOf } from './postmaster.js';
import { run } from './run.js';
import { EmbeddedDatabaseError } from './server.error.js';

/** Server settings by PostgreSQL's own names. */
export type Settings = Readonly<Record<string, string | number>>;

/** How a server is stopped: both cut its connections; only `fast` writes everything out before. */
export type StopMode = 'fast' | 'immediate';

/** Recovery after a crash replays the write-ahead log, which on a slow disk takes its time. */
export const RECOVERY_MS = 300_000;

const LOG_BYTES = 16 * 1024 * 1024;

/**
 * Starts the server of a place in which none lives, in a session of its own, so that neither Ctrl-C nor the end of
 * this process reaches it. Called under the data directory's lock.
 *
 * @throws EmbeddedDatabaseError `not_started`, with the end of the server's log
 */
export async function startServer(place: Place, programs: string, settings: Settings): Promise<void> {
  const log = join(place.data, 'server.log');
  const deadline = performance.now() + RECOVERY_MS;
  if (existsSync(log) && statSync(log).size > LOG_BYTES) await rename(log, `${log}.1`);

  let port = await rememberedPort(place);
  for (;;) {
    const logged = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
    await disown(place.data);
    const { code, output } = await run(
      join(programs, 'pg_ctl'),
      [
        ...['start', '--wait', `--timeout=${RECOVERY_MS / 1000}`, `--pgdata=${place.data}`, `--log=${log}`],
        `--options=${options({ ...settings, port })}`,
      ],
      { as: place.as, withinMs: RECOVERY_MS + 10_000, ownSession: true },
    );
    if (code === 0) return remember(place, port);
    // The server of a starter that was killed in between may have come up by itself.
    if ((await postmasterOf(place.data)) !== null) return;

    const said = (await tail(log, logged)) || output;
    if (performance.now() > deadline || !passes(said)) {
      throw new EmbeddedDatabaseError('not_started', `PostgreSQL did not start: ${said.slice(-800)}`);
    }
    if (/Address already in use/.test(said)) port = await freePort();
    await delay(50);
  }
}

/**
 * Stops the server of a place, if one lives. Called under the data directory's lock.
 *
 * @throws EmbeddedDatabaseError `not_stopped`
 */
export async function stopServer(place: Place, programs: string, mode: StopMode): Promise<void> {
  if ((await postmasterOf(place.data)) === null) return;
  const { output } = await run(
    join(programs, 'pg_ctl'),
    ['stop', '--wait', '--timeout=60', `--mode=${mode}`, `--pgdata=${place.data}`],
    { as: place.as, withinMs: 70_000, ownSession: true },
  );
  if ((await postmasterOf(place.data)) !== null) {
    throw new EmbeddedDatabaseError('not_stopped', `PostgreSQL did not stop: ${output.slice(-800)}`);
  }
}

/** Faults that go away: a port taken by a stranger, processes of a killed server that have yet to notice. */
function passes(said: string): boolean {
  return /Address already in use|pre-existing shared memory block|lock file ".*" already exists/.test(said);
}

/** The options as pg_ctl takes them: one text that goes through a shell. */
function options(settings: Settings): string {
  return Object.entries(settings)
    .map(([name, value]) => `-c ${quoted(`${name}=${value}`)}`)
    .join(' ');
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * The port of the last start, where it is free: connection pools of processes that outlived a killed server then
 * find the new one by themselves.
 */
async function rememberedPort(place: Place): Promise<number> {
  const text = await readFile(portFile(place), 'utf8').catch(() => '');
  const port = Number(text.trim());
  return port > 0 && (await isFree(port)) ? port : freePort();
}

async function remember(place: Place, port: number): Promise<void> {
  await writeFile(portFile(place), `${port}\n`);
}

function portFile(place: Place): string {
  return `${place.data}.port`;
}

async function isFree(port: number): Promise<boolean> {
  return (await listenOnce(port)) !== undefined;
}

async function freePort(): Promise<number> {
  const port = await listenOnce(0);
  if (port !== undefined) return port;
  throw new EmbeddedDatabaseError('not_started', 'no port of 127.0.0.1 is free for the embedded database');
}

/** The port that could be listened on, or undefined where somebody else does. */
function listenOnce(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
}

async function tail(log: string, from: number): Promise<string> {
  const handle = await open(log, 'r').catch(() => undefined);
  if (handle === undefined) return '';
  try {
    const { size } = await handle.stat();
    const length = Math.min(Math.max(0, size - from), 4096);
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8').trim();
  } finally {
    await handle.close();
  }
}
