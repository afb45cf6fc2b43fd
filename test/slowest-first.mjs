/**
 * Begins with the files that take longest, so that the workers end together: one of them begun last would be waited for
 * by all others. Jest knows them by itself where it ran before; a fresh clone goes by what is written here.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import TestSequencer from '@jest/test-sequencer';

const SLOWEST = [
  'integration/embedded-postgres',
  'broker/journal',
  'broker/broker-process',
  'e2e/drain',
  'broker/broker',
  'broker/planted-secrets',
  'e2e/tracing',
  'broker/log-export',
  'e2e/messages',
  'e2e/deadlines',
  'broker/runtime',
  'e2e/retry',
  'broker/limits',
  'broker/restarts',
  'e2e/floor',
  'e2e/cancel',
  'e2e/contracts',
  'e2e/pooler',
  'e2e/order',
  'e2e/broker-death',
  'e2e/sealed',
  'e2e/drift',
  'e2e/load',
  'e2e/hand-off',
  'e2e/verify',
  'broker/messages',
  'e2e/owner-death',
  'e2e/why',
  'e2e/progress',
  'e2e/examples',
  'e2e/metrics',
  'e2e/project-commands',
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
