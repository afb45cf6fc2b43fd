/** What the command line starts: joining a hub once, and running the broker until it is asked to end. */
import { pino } from 'pino';
import { Broker } from './broker.js';
import { BrokerDisplaced } from './broker.errors.js';
import type { ExitReason } from './connection/connector.js';
import { Home } from './home.js';
import { acquireLock } from './lock.js';

export { joinBroker } from './join.js';

export type RunOptions = {
  home: string;
  /** Whether agents are stopped when the broker is; by default they go on and are found again. */
  stopAgents: boolean;
  signal: AbortSignal;
};

/**
 * Runs the broker of a home folder; resolves when it has ended after the signal.
 *
 * @throws NotJoined, HomeInUse, HomeUnreadable, BrokerDisplaced
 */
export async function runBroker({ home: path, stopAgents, signal }: RunOptions): Promise<void> {
  const home = new Home(path);
  await home.membership();
  const lock = await acquireLock(path);
  try {
    const log = pino({ base: {} });
    const broker = await Broker.start({ home, log });
    const asked = new Promise<'asked'>((resolve) => {
      if (signal.aborted) resolve('asked');
      signal.addEventListener('abort', () => resolve('asked'), { once: true });
    });
    let why: 'asked' | ExitReason | 'failed' = 'failed';
    try {
      why = await Promise.race([asked, broker.done]);
    } finally {
      await broker.stop({ stopAgents: stopAgents && why === 'asked' });
    }
    if (why === 'displaced') throw new BrokerDisplaced(path);
  } finally {
    await lock.release();
  }
}
