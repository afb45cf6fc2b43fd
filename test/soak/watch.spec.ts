import { beforeEach, describe, expect, it } from '@jest/globals';
import type { SoakDatabase } from '../../scripts/soak/database.js';
import { Watch } from '../../scripts/soak/watch.js';

/** A database in whose words the replica listens again, and was noticed to be gone, at once. */
const DATABASE = {
  query: () => Promise.resolve([{ hearing: 1, goneAtMs: Date.now(), judges: 1 }]),
} as unknown as SoakDatabase;

describe('the watch over what is promised within a time', () => {
  let said: string[];
  let watch: Watch;

  beforeEach(() => {
    said = [];
    watch = new Watch(DATABASE, (line) => said.push(line));
  });

  const deafness = () => watch.deafness('replica-1', 'session-1', new Date(), () => false);

  it('times what is noticed and healed', async () => {
    deafness();
    watch.death('replica-2', 'id-2');
    await watch.settled();

    expect(watch.listens).toEqual([{ name: 'replica-1', ms: expect.any(Number) }]);
    expect(watch.deaths).toEqual([{ name: 'replica-2', ms: expect.any(Number) }]);
    expect(said).toHaveLength(2);
    expect(said.join()).not.toContain('not judged');
  });

  it('says of a LISTEN that it is not judged, where its replica stood still meanwhile', async () => {
    await watch.standStill('replica-1', async () => {
      deafness();
      await watch.settled();
    });

    expect(watch.listens).toEqual([]);
    expect(watch.unjudgedListens).toBe(1);
    expect(said).toEqual([
      expect.stringMatching(/^replica-1 listens again after \d+ ms, which is not judged$/),
    ]);
  });

  it('says of a LISTEN and of a death that they are not judged, where the database was away', async () => {
    await watch.trouble(async () => {
      deafness();
      watch.death('replica-2', 'id-2');
      await watch.settled();
    });

    expect([watch.unjudgedListens, watch.unjudgedDeaths]).toEqual([1, 1]);
    for (const line of said) expect(line).toMatch(/, which is not judged$/);
    expect(said).toHaveLength(2);
  });
});
