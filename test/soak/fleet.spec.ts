import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { SoakCluster } from '../../scripts/soak/cluster.js';
import { Fleet, type Crew } from '../../scripts/soak/fleet.js';
import { scheduleOf } from '../../scripts/soak/schedule.js';
import { STRIKES, type Stage } from '../../scripts/soak/strikes.js';
import { Watch } from '../../scripts/soak/watch.js';

const CLUSTER = { caller: { joinToken: () => Promise.resolve('') } } as unknown as SoakCluster;

const crewOf = (name: string) =>
  ({
    names: [name],
    program: { end: () => Promise.resolve(), signal: () => undefined },
  }) as unknown as Crew;

describe('the brokers of a soak', () => {
  let folder: string;
  let fleet: Fleet;
  const crew = crewOf('broker-1');

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead-fleet-'));
    fleet = await Fleet.start(folder, CLUSTER, 0);
    fleet.crews.push(crew);
    fleet.brokerIds.push('id-1');
    // Nobody can look into what is no folder.
    writeFileSync(join(folder, 'broker-1'), '');
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('have lost what they had, and may be struck again, where they could not be started again', async () => {
    await expect(fleet.kill(crew, 0, { keptOfJournal: 0.5 })).rejects.toMatchObject({ code: 'ENOTDIR' });

    expect(fleet.there).toEqual([crew]);
    expect(fleet.losses).toEqual([{ brokerId: 'id-1', at: expect.any(String), until: expect.any(String) }]);
  });

  it('are told to end, and may have given up what they were at, but not while they stand still', async () => {
    const [fault] = scheduleOf(7, 60_000);
    const ended: string[] = [];
    Object.assign(crew.program, {
      end: (signal: string) => Promise.resolve(ended.push(signal)),
      exitCode: 0,
    });
    const restart = () => STRIKES.broker_restart({ fleet } as Stage, { ...fault!, pick: 0, forMs: 0 });

    const still = fleet.standStill(crew, 20);
    const whileStill = await restart();
    await still;
    // Its process is not there to begin again.
    await expect(restart()).rejects.toThrow();

    expect(whileStill).toBeNull();
    expect(ended).toEqual(['SIGTERM']);
    expect(fleet.losses).toEqual([expect.objectContaining({ brokerId: 'id-1' })]);
    expect(fleet.ends).toEqual([]);
  });

  it.each(['broker_pause', 'broker_sleep'] as const)(
    'are not struck by %s while they are being started',
    async (kind) => {
      const [fault] = scheduleOf(7, 60_000);
      let end = (): void => undefined;
      const ended = new Promise<void>((resolve) => (end = resolve));
      Object.assign(crew.program, { end: () => ended });
      const killed = fleet.kill(crew, 0, { keptOfJournal: 0.5 }).catch(() => undefined);
      const other = crewOf('broker-2');
      fleet.crews.push(other);
      const watch = new Watch({} as never, () => undefined);

      const struck = await STRIKES[kind]({ fleet, watch } as Stage, { ...fault!, pick: 0, forMs: 0 });

      expect(struck).toBe('broker-2');
      end();
      await killed;
    },
  );
});
