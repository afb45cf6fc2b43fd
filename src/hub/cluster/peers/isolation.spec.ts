import { afterEach, describe, expect, it } from '@jest/globals';
import { Loops } from '../../lifecycle/loops.js';
import type { Replica } from '../replica.js';
import type { ReplicaRepository } from '../replica.repository.js';
import type { PeerDoor } from './door.js';
import { Isolation } from './isolation.js';
import type { Peers } from './peers.js';

/** A replica that reads where its only peer is, and then may act no more. */
function fenced({ peerRenews, renewsItself }: { peerRenews: boolean; renewsItself: boolean }) {
  let mayAct = true;
  let asked: () => void = () => undefined;
  const wasAsked = new Promise<void>((resolve) => (asked = resolve));
  const replica = {
    id: 'own',
    get mayAct() {
      return mayAct;
    },
    renewed: () => Promise.resolve(renewsItself),
  };
  const repository = {
    internalUrls: () => {
      mayAct = false;
      return Promise.resolve([{ id: 'peer', url: 'http://peer' }]);
    },
  };
  const links = {
    ask: () => {
      setImmediate(asked);
      return Promise.resolve({ renews: peerRenews });
    },
  };
  const isolation = new Isolation(
    replica as unknown as Replica,
    repository as unknown as ReplicaRepository,
    links as unknown as Peers,
    { serve: () => undefined } as unknown as PeerDoor,
    new Loops(),
  );
  let timesAlone = 0;
  isolation.onAlone(() => (timesAlone += 1));
  return { isolation, wasAsked, timesAlone: () => timesAlone };
}

describe('a replica that cannot renew', () => {
  let isolation: Isolation;

  afterEach(() => isolation.stop());

  it.each([
    ['is alone where a peer renews', { peerRenews: true, renewsItself: false }, 1],
    ['is not alone where no peer renews either', { peerRenews: false, renewsItself: false }, 0],
    ['is not alone where it renews a moment after its peer', { peerRenews: true, renewsItself: true }, 0],
  ])('%s', async (_title, facts, times) => {
    const made = fenced(facts);
    isolation = made.isolation;
    isolation.start();
    await made.wasAsked;
    await isolation.stop();

    expect(made.timesAlone()).toBe(times);
    expect(isolation.isAlone).toBe(times === 1);
  });
});
