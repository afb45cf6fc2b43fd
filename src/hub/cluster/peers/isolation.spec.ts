import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Database } from '../../database/database.js';
import { LastGood } from '../../lifecycle/last-good.js';
import { Loops } from '../../lifecycle/loops.js';
import type { Replica } from '../replica.js';
import type { ReplicaRepository } from '../replica.repository.js';
import type { PeerDoor } from './door.js';
import { Isolation } from './isolation.js';
import type { Peers } from './peers.js';

type Facts = {
  peerRenews: () => boolean;
  /** Whether its beats, or answers on its pool, come again once it has asked. */
  renewsItself?: boolean;
};

/** A replica that reads where its only peer is, and then loses the way of its beats or that of its pool. */
function losing(way: 'beats' | 'pool', { peerRenews, renewsItself = false }: Facts) {
  const beats = new LastGood();
  const answers = new LastGood();
  const noted = { beats, pool: answers };
  const goOn = (of: keyof typeof noted) => setInterval(() => noted[of].note(performance.now()), 500).unref();
  const lost = goOn(way);
  const kept = goOn(way === 'beats' ? 'pool' : 'beats');
  const replica = {
    id: 'own',
    get mayAct() {
      return beats.isWithin(4_000);
    },
    renewed: (withinMs: number) => beats.again(withinMs),
  };
  const repository = {
    internalUrls: () => {
      clearInterval(lost);
      return Promise.resolve([{ id: 'peer', url: 'http://peer' }]);
    },
  };
  let again: NodeJS.Timeout | undefined;
  const links = {
    ask: () => {
      if (renewsItself) again ??= goOn(way);
      return Promise.resolve({ renews: peerRenews() });
    },
  };
  let serves: () => Promise<unknown> = () => Promise.resolve();
  const isolation = new Isolation(
    replica as unknown as Replica,
    repository as unknown as ReplicaRepository,
    { answers } as Database,
    links as unknown as Peers,
    { serve: (_name: string, handler: typeof serves) => (serves = handler) } as unknown as PeerDoor,
    new Loops(),
  );
  let timesAlone = 0;
  isolation.onAlone(() => (timesAlone += 1));
  return {
    isolation,
    timesAlone: () => timesAlone,
    /** What it says when a peer asks. */
    answer: () => serves(),
    end: () => {
      for (const each of [lost, kept, again]) clearInterval(each);
    },
  };
}

describe('a replica that cannot renew', () => {
  let made: ReturnType<typeof losing>;

  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(async () => {
    const stopping = made.isolation.stop();
    await jest.advanceTimersByTimeAsync(5_000);
    await stopping;
    made.end();
    jest.useRealTimers();
  });

  const after = async (ms: number) => {
    await jest.advanceTimersByTimeAsync(ms);
    return [made.timesAlone(), made.isolation.isAlone];
  };

  const isWell = (): boolean => true;
  const isNot = (): boolean => false;

  describe.each(['beats', 'pool'] as const)('by the way of its %s', (way) => {
    it.each<[string, Facts, number]>([
      ['is alone where a peer renews', { peerRenews: isWell }, 1],
      ['is not alone where no peer renews either', { peerRenews: isNot }, 0],
      ['is not alone where it renews a moment after its peer', { peerRenews: isWell, renewsItself: true }, 0],
    ])('%s', async (_title, facts, times) => {
      made = losing(way, facts);
      made.isolation.start();

      expect(await after(60_000)).toEqual([times, times === 1]);
    });

    it('says no to a peer that asks', async () => {
      made = losing(way, { peerRenews: isNot });
      made.isolation.start();
      await after(1_000);

      const answer = made.answer();
      await after(2_500);

      expect(await answer).toEqual({ renews: false });
    });
  });

  it('gives its pool the time that this may need to come back, in which its peers must have it all along', async () => {
    let hasPeer = true;
    made = losing('pool', { peerRenews: () => hasPeer });
    made.isolation.start();

    expect(await after(20_000)).toEqual([0, false]);
    hasPeer = false;
    expect(await after(5_000)).toEqual([0, false]);
    hasPeer = true;
    expect(await after(19_000)).toEqual([0, false]);
    expect(await after(10_000)).toEqual([1, true]);
  });
});
