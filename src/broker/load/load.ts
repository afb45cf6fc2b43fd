/**
 * Many simulated brokers in one process, so that somebody can see what a hub of theirs does with them. Bounded in number
 * and in time, and ended by itself: each says goodbye, and stays listed as `offline`.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { pino, type Logger } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import { HubUnreachable, JoinRefused } from '../broker.errors.js';
import { systemClocks } from '../clocks.js';
import { readHubUrls } from '../connection/addresses.js';
import { fullJitterMs } from '../connection/backoff.js';
import { machineFingerprint } from '../machine.js';
import { SimulatedBroker } from './simulated.js';
import { Tally, type Summary } from './tally.js';

export type LoadOptions = {
  /** One or more replicas, or a balancer before them. */
  urls: readonly string[];
  /** A join token with a seat for each. */
  token: string;
  count: number;
  /** Brokers that begin to join in one second. */
  ratePerS: number;
  /** Seconds after which it ends, counted from the first join. */
  seconds: number;
  /** Ends once links were lost and all are there again. */
  untilStorm: boolean;
  /** Ends it sooner. */
  signal: AbortSignal;
  onProgress: (line: string) => void;
};

const LOOK_MS = 100;
const TELL_MS = 1_000;
const LEAVE_AT_ONCE = 200;
const RETRY = { baseMs: 500, capMs: 10_000 };

/**
 * Joins them all at the given rate, and keeps them linked until the time is over.
 *
 * @throws HubUrlInvalid; JoinRefused where the hub does not want one of them, once all others have left
 */
export async function loadBrokers(options: LoadOptions): Promise<Summary> {
  const { count, ratePerS, seconds, untilStorm, onProgress } = options;
  const urls = readHubUrls(options.urls);
  const tally = new Tally(count, () => systemClocks.monotonicMs());
  const failing = new AbortController();
  const over = AbortSignal.any([options.signal, failing.signal, AbortSignal.timeout(seconds * 1_000)]);
  const brokers: SimulatedBroker[] = [];
  const joining = joinAll();
  joining.catch(() => undefined);
  const telling = setInterval(() => onProgress(lineOf(tally, count)), TELL_MS);
  try {
    while (!over.aborted && !(untilStorm && tally.hasWeathered)) await rest(LOOK_MS, over);
    failing.abort();
    await joining;
    return tally.summary();
  } finally {
    clearInterval(telling);
    onProgress('every broker says goodbye');
    for (let from = 0; from < brokers.length; from += LEAVE_AT_ONCE)
      await Promise.all(brokers.slice(from, from + LEAVE_AT_ONCE).map((broker) => broker.leave()));
  }

  async function joinAll(): Promise<void> {
    const run = uuidv7().slice(-8);
    const fingerprint = machineFingerprint();
    const log = troublesTo(tally);
    const begunAt = systemClocks.monotonicMs();
    const joins: Promise<void>[] = [];
    for (let index = 0; index < count; index += 1) {
      await rest(begunAt + (index * 1_000) / ratePerS - systemClocks.monotonicMs(), over);
      if (over.aborted) break;
      joins.push(joinOne(`load-${run}-${index + 1}`, fingerprint, log));
    }
    for (const joined of await Promise.allSettled(joins)) {
      if (joined.status === 'rejected') throw joined.reason;
    }
  }

  /** Tries again where the hub cannot serve just now, under another name: its answer alone may have been lost. */
  async function joinOne(name: string, fingerprint: string, log: Logger): Promise<void> {
    const { token } = options;
    for (let attempt = 0; !over.aborted; attempt += 1) {
      const tried = attempt === 0 ? name : `${name}-${attempt}`;
      try {
        brokers.push(await SimulatedBroker.join({ urls, token, name: tried, fingerprint }, tally, log));
        return;
      } catch (error) {
        if (!mayPass(error)) {
          failing.abort();
          throw error;
        }
        tally.met(`not joined yet: ${error.code}`);
        await rest(fullJitterMs(attempt, RETRY.baseMs, RETRY.capMs, Math.random), over);
      }
    }
  }
}

function mayPass(error: unknown): error is HubUnreachable | JoinRefused {
  if (error instanceof JoinRefused) return error.status === 429 || error.status >= 500;
  return error instanceof HubUnreachable;
}

function lineOf({ joined, linked, beats, commands, reconnects }: Tally, count: number): string {
  const words = `${linked} of ${count} linked, ${joined} joined, ${beats} beats, ${commands} commands answered`;
  return reconnects === 0 ? words : `${words}, ${reconnects} reconnects`;
}

/** The connector's warnings, counted instead of shown: thousands say the same. */
function troublesTo(tally: Tally): Logger {
  return pino(
    { level: 'warn', base: {} },
    {
      write: (text: string) => {
        const { msg = '', reason = '', code } = JSON.parse(text) as Record<string, string | undefined>;
        tally.met(`${msg}${code === undefined ? '' : ` (${code})`}${reason === '' ? '' : `: ${reason}`}`);
      },
    },
  );
}

async function rest(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return;
  await wait(ms, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}
