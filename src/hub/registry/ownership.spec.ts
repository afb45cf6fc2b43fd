import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { DISPLACED_BY } from '../../protocol/close-code.js';
import type { Hello } from '../../protocol/frame.js';
import { PROTOCOL_RANGE } from '../../protocol/version.js';
import type { Audit } from '../auth/audit.js';
import type { Clock } from '../cluster/clock.js';
import type { Replica } from '../cluster/replica.js';
import type { Wakes } from '../cluster/wakes.js';
import type { ConnectionRepository } from './connection.repository.js';
import type { Connects } from './connects.js';
import type { ControlChannel } from './control-channel.js';
import type { ControlSocket } from './control-socket.js';
import { Link } from './link.js';
import { Links } from './links.js';
import { Ownership } from './ownership.js';
import { Releases } from './releases.js';

const HERE = 'replica';

describe('what the rows say that a replica holds, and no link of it is of', () => {
  let links: Links;
  let leaving: Set<string>;
  let released: unknown[];
  let found: () => { brokerId: string; epoch: number; silenceMs: number }[];

  beforeEach(() => {
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    links = new Links();
    leaving = new Set();
    released = [];
    found = () => ['a', 'b'].map((brokerId) => ({ brokerId, epoch: 3, silenceMs: 40_000 }));
  });

  afterEach(() => {
    jest.restoreAllMocks();
  });

  const release = async () => {
    const repository = { unlinked: () => Promise.resolve().then(found) };
    const add = (held: object, reason: string) => Promise.resolve(released.push({ ...held, reason }));
    const releases = { brokerIds: leaving, add };
    const [replica, none] = [{ id: HERE }, undefined as never];
    const ownership = new Ownership(
      repository as unknown as ConnectionRepository,
      none,
      links,
      replica as never,
      none,
      none,
      releases as unknown as Releases,
      none,
    );
    await ownership.releaseUnlinked();
    return released;
  };
  const open = (brokerId: string, epoch: number) =>
    links.open(new Link({} as ControlSocket, { brokerId, epoch } as Link['facts']));

  it('is let go of under its epoch, silent since it was made', async () => {
    expect(await release()).toEqual([
      { brokerId: 'a', epoch: 3, silenceMs: 40_000, reason: 'never_linked' },
      { brokerId: 'b', epoch: 3, silenceMs: 40_000, reason: 'never_linked' },
    ]);
  });

  it('keeps the reason that it is let go of for already', async () => {
    leaving.add('a');

    expect(await release()).toMatchObject([{ brokerId: 'b' }]);
  });

  it('is kept where its link has opened while the rows were read', async () => {
    const rows = found();
    found = () => {
      open('a', 3);
      open('b', 2);
      return rows;
    };

    expect(await release()).toMatchObject([{ brokerId: 'b' }]);
  });

  it('waits for the next turn where the rows cannot be read', async () => {
    found = () => {
      throw new Error('away');
    };

    expect(await release()).toEqual([]);
  });
});

describe('a hello of a broker whose channel has closed', () => {
  const channel = { isOpen: true, brokerId: 'b', isGoodAt: () => true, silenceMs: 0, close: () => undefined };
  const hello = { protocol: PROTOCOL_RANGE, bootId: 'earlier life', lastEpoch: 0 } as Hello;
  let happened: unknown[];
  let ownership: Ownership;

  beforeEach(() => {
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    channel.isOpen = true;
    happened = [];
  });

  afterEach(() => {
    jest.restoreAllMocks();
  });

  /** @param whileAsking what happens while the replica looks for others, and while the database takes the connection */
  function greet(whileAsking: { alternatives?: () => void; connect?: () => void }): Promise<void> {
    const replica: Partial<Replica> = {
      id: HERE,
      assertMayAct: () => undefined,
      alternatives: () => Promise.resolve(whileAsking.alternatives?.()).then(() => []),
    };
    const connects: Partial<Connects> = {
      add: ({ brokerId }) => {
        happened.push(['connected', brokerId]);
        whileAsking.connect?.();
        const former = { replicaId: 'other', bootId: 'life' };
        return Promise.resolve({
          epoch: 4,
          revision: 1,
          revoked: false,
          flagged: false,
          former,
          attachments: [],
        });
      },
    };
    const releases: Partial<Releases> = {
      brokerIds: new Set(),
      add: async ({ epoch }) => {
        await Promise.resolve();
        happened.push(['released', epoch]);
      },
    };
    const wakes: Partial<Wakes> = {
      tell: (replicaId, { moved }) => void happened.push(['told', replicaId, ...(moved ?? [])]),
    };
    ownership = new Ownership(
      {} as ConnectionRepository,
      connects as Connects,
      new Links(),
      replica as Replica,
      wakes as Wakes,
      { now: () => new Date() } as Clock,
      releases as Releases,
      {} as Audit,
    );
    return ownership.greet(channel as Partial<ControlChannel> as ControlChannel, hello);
  }
  const closes = () => void (channel.isOpen = false);

  it('takes the place of no other life of it', async () => {
    await greet({ alternatives: closes });

    expect(happened).toEqual([]);
  });

  it('is let go of before the one whose place it took is told, where it closed while that was taken', async () => {
    await greet({ connect: closes });

    expect(happened).toEqual([
      ['connected', 'b'],
      ['released', 4],
      ['told', 'other', ['b', 4]],
    ]);
  });
});

describe('a link whose row is of a newer epoch', () => {
  it.each([
    ['another replica holds', 'other', ['displaced', DISPLACED_BY.another]],
    ['nobody holds', null, ['going_away', 'this connection was released; connect again']],
  ])('and of another life of the broker, which %s, is closed as such', async (_who, replicaId, expected) => {
    const row = {
      brokerId: 'b',
      replicaId,
      epoch: 4,
      bootId: 'earlier life',
      releaseReason: null,
      isRevoked: false,
    };
    const repository: Partial<ConnectionRepository> = { strangers: () => Promise.resolve([row]) };
    const links = new Links();
    const ended: unknown[] = [];
    const channel: Partial<ControlChannel> = { close: (...end) => void ended.push(end) };
    links.open(
      new Link(channel as ControlChannel, { brokerId: 'b', epoch: 3, bootId: 'life' } as Link['facts']),
    );
    const none = undefined as never;
    const ownership = new Ownership(
      repository as ConnectionRepository,
      none,
      links,
      { id: HERE } as Replica,
      none,
      none,
      none,
      none,
    );

    await ownership.recheck(['b']);

    expect(ended).toEqual([expected]);
    expect(links.count).toBe(0);
  });
});

describe('a release', () => {
  it('is known to be under way until it is written, and while it is due since it could not be', async () => {
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    let write: (outcome: 'written' | 'refused') => void = () => undefined;
    const repository = {
      release: () =>
        new Promise<void>((resolve, reject) => {
          write = (outcome) => (outcome === 'written' ? resolve() : reject(new Error('away')));
        }),
    };
    const loops = { make: () => ({ start: () => undefined, stop: () => Promise.resolve() }) };
    const releases = new Releases(
      repository as unknown as ConnectionRepository,
      { id: HERE } as never,
      loops as never,
    );
    const next = () => new Promise((resolve) => setImmediate(resolve));
    const known: string[][] = [];

    const written = releases.add({ brokerId: 'a', epoch: 1, silenceMs: 0 }, 'over');
    known.push([...releases.brokerIds]);
    await next();
    write('written');
    await written;
    known.push([...releases.brokerIds]);
    const refused = releases.add({ brokerId: 'b', epoch: 1, silenceMs: 0 }, 'over');
    await next();
    write('refused');
    await refused;
    known.push([...releases.brokerIds]);

    expect(known).toEqual([['a'], [], ['b']]);
    jest.restoreAllMocks();
  });
});
