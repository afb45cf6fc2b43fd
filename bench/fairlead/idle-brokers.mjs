/** Simulated brokers, as `fairlead load brokers` has them: idle but for their beats, and dialling again when cut. */
import { performance } from 'node:perf_hooks';
import { setTimeout as rest } from 'node:timers/promises';
import { pino } from 'pino';
import { SimulatedBroker } from '../../dist/src/broker/load/simulated.js';
import { Tally } from '../../dist/src/broker/load/tally.js';
import { answerParent } from '../child.mjs';

const JOINS_AT_ONCE = 32;
const log = pino({ level: 'silent' });
const tally = new Tally(Infinity, () => performance.now());
let names = 0;

answerParent({
  /** Joins so many more brokers through the first of some replicas; resolves when all are linked. */
  async join({ urls, token, count }) {
    const wanted = tally.linked + count;
    let begun = 0;
    const slot = async () => {
      while (begun < count) {
        begun += 1;
        names += 1;
        const name = `idle-${process.pid}-${names}`;
        await SimulatedBroker.join({ urls, token, name, fingerprint: 'b'.repeat(64) }, tally, log);
      }
    };
    await Promise.all(Array.from({ length: Math.min(count, JOINS_AT_ONCE) }, slot));
    while (tally.linked < wanted) await rest(20);
  },
});
