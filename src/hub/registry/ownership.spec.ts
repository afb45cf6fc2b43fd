import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { ConnectionRepository } from './connection.repository.js';
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
