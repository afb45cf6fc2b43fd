/**
 * Some brokers in a process of their own, which may be killed: the broker that users run, with its journal, and one op that
 * writes down what it does in a file of its broker and its life, past the product, and gives back the note by which its client knows its own.
 *
 *     node broker-program.js <folder> <name>...     with HUB_URL, and JOIN_TOKEN where they have not joined
 *
 * Each second of them holds a second link ready.
 */
import { appendFileSync, existsSync, fsyncSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { pino } from 'pino';
import {
  Broker,
  HubUnreachable,
  JoinRefused,
  OpFailure,
  ownOp,
  type JsonObject,
} from '../../src/broker/embedded.js';
import { Home } from '../../src/broker/home.js';
import { LINES_LOST, LogOutput } from '../../src/tracing/log-output.js';
import { EFFECT_OP, FAILED } from './effect-op.js';
import type { Conduct } from './kinds.js';
import type { Effect } from './record.js';

const [folder = '.', ...names] = process.argv.slice(2);
const { HUB_URL = '', JOIN_TOKEN = '' } = process.env;
const output = new LogOutput(process.stdout.fd, (told) => log.warn(told, LINES_LOST));
const log = pino({ base: {}, level: 'warn', timestamp: pino.stdTimeFunctions.isoTime }, output);
const brokers = new Map<string, Broker>();
let isOver = false;
const JOIN_TRIES_MOST = 60;

async function brokerIdOf(name: string): Promise<string> {
  const home = join(folder, name);
  const known = (await Broker.hasJoined(home)) ? await new Home(home).membership() : undefined;
  if (known !== undefined) return known.brokerId;
  for (let tries = 1; ; tries += 1) {
    try {
      return (await Broker.join({ home, urls: [HUB_URL], token: JOIN_TOKEN, name })).brokerId;
    } catch (error) {
      // A hub that is busy, or away, is asked again; one that says no is not.
      const isPassing =
        error instanceof HubUnreachable || (error instanceof JoinRefused && error.status === 503);
      if (!isPassing || tries === JOIN_TRIES_MOST) throw error;
      await rest(1_000);
    }
  }
}

/** What has failed of a broker that was to fail once. It outlives the process: each failure more would rest for longer. */
class FailedOnce {
  private readonly notes: Set<string>;

  constructor(private readonly file: string) {
    this.notes = new Set(existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []);
  }

  /** @returns whether the note was not there yet */
  add(note: string): boolean {
    if (this.notes.has(note)) return false;
    this.notes.add(note);
    appendFileSync(this.file, `${note}\n`);
    return true;
  }
}

/** @throws OpFailure where that is asked for */
function misbehave(conduct: Conduct | null | undefined, note: string, failedOnce: FailedOnce): void {
  if (conduct === 'fails') throw new OpFailure(FAILED, 'it was to fail');
  if (conduct === 'fails_once' && failedOnce.add(note))
    throw new OpFailure('soak_not_yet', 'it was to fail once', true);
}

/** Of each life of a broker: on a disk that is full a file that is long already could take no more, or half of a line. */
function effectsOf(name: string): string {
  const before = readdirSync(folder).filter(
    (each) => each.startsWith(`${name}.`) && each.endsWith('.effects'),
  );
  return join(folder, `${name}.${String(before.length).padStart(4, '0')}.effects`);
}

/** Runs one until the process is told to end; a broker that ends by itself is started again, as a supervisor does. */
async function serve(name: string, brokerId: string, standby: boolean): Promise<void> {
  const file = openSync(effectsOf(name), 'a');
  const failedOnce = new FailedOnce(join(folder, `${name}.failed`));
  const effect = ownOp(EFFECT_OP, {
    handle: async ({ note, orderingKey, turn, takesMs, conduct }: JsonObject, { signal }) => {
      if (typeof takesMs === 'number' && takesMs > 0)
        await rest(takesMs, undefined, { signal }).catch(() => undefined);
      // Nothing comes between this and the effect: what is given up is not done, and what is done is not given up.
      if (signal.aborted) throw new OpFailure('cancelled', 'it was given up before it was done');
      misbehave(conduct as Conduct | null | undefined, note as string, failedOnce);
      const line = { note, brokerId, orderingKey, turn, at: new Date().toISOString() } as Effect;
      // What was written when the process is killed stays written.
      appendFileSync(file, `${JSON.stringify(line)}\n`);
      fsyncSync(file);
      return { note: note as string };
    },
  });
  while (!isOver) {
    const broker = await Broker.start({
      home: join(folder, name),
      ops: [effect],
      standby,
      log: log.child({ broker: name }),
    });
    brokers.set(name, broker);
    // It was told to end while this one started.
    if (isOver) void broker.stop();
    const reason = await broker.done;
    await broker.stop();
    if (!isOver) process.stdout.write(`over ${name} ${reason}\n`);
    if (!isOver) await rest(500);
  }
}

function end(): void {
  isOver = true;
  for (const broker of brokers.values()) void broker.stop();
}

process.once('SIGTERM', end);
// One whose leader is gone has nobody to work for.
process.stdin.once('close', end).resume();

const served: Promise<void>[] = [];
for (const [place, name] of names.entries()) {
  const brokerId = await brokerIdOf(name);
  served.push(serve(name, brokerId, place % 2 === 1));
  process.stdout.write(`joined ${name} ${brokerId}\n`);
}
process.stdout.write('all joined\n');
await Promise.all(served);
process.exit(0);
