/**
 * Begins with the files that take longest, so that the workers end together: one of them begun last would be waited for
 * by all others. Jest knows them by itself where it ran before; a fresh clone goes by what is written here.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import TestSequencer from '@jest/test-sequencer';

const SLOWEST = [
  'e2e/floor',
  'integration/embedded-postgres',
  'e2e/drain',
  'e2e/drift',
  'e2e/poll-broker',
  'integration/peers',
  'e2e/messages',
  'broker/broker-process',
  'broker/journal',
  'fault/lost-answers',
  'e2e/deadlines',
  'broker/broker',
  'e2e/sealed',
  'broker/runtime',
  'e2e/order',
  'e2e/cancel',
  'gates/metrics',
  'e2e/tracing',
  'broker/messages',
  'e2e/pooler',
  'e2e/why',
  'e2e/contracts',
  'e2e/broker-death',
  'e2e/refusals',
  'conformance/hubs',
  'e2e/conformance',
].map((name) => join(import.meta.dirname, `${name}.spec.ts`));

export default class SlowestFirst extends TestSequencer {
  constructor(...given) {
    super(...given);
    const gone = SLOWEST.filter((path) => !existsSync(path));
    if (gone.length > 0)
      throw new Error(`test/slowest-first.mjs names what is not there: ${gone.join(', ')}`);
  }

  sort(tests) {
    const sorted = super.sort(tests);
    // Where it knows how long some took it went by that.
    if (sorted.some(({ duration }) => typeof duration === 'number')) return sorted;
    const placeOf = ({ path }) => SLOWEST.indexOf(path);
    const slowest = sorted.filter((test) => placeOf(test) >= 0).sort((a, b) => placeOf(a) - placeOf(b));
    return [...slowest, ...sorted.filter((test) => placeOf(test) < 0)];
  }
}
