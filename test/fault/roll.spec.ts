import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Balancer } from '../../scripts/support/balancer.js';
import { Cluster } from '../support/cluster.js';
import type { HubProcess } from '../support/hub-process.js';
import { printedBy } from '../support/printed.js';

const DRILL = resolve('dist/scripts/drill/main.js');
const FAIRLEAD = resolve('dist/src/cli/main.js');

const drill = (...args: string[]) => printedBy([DRILL, ...args]);

const CLEAN = { givenUp: 0, lost: 0, duplicated: 0, reordered: 0, irregular: 0 };

describe('under load from callers at a balancer, with brokers in processes of their own', () => {
  it('a roll of three replicas refuses no call, loses, doubles and reorders nothing, and leaves no broker without an owner for 250 ms', async () => {
    const figures = await drill('roll', '--brokers', '12', '--rate', '60');

    expect(figures).toMatchObject({ code: 0, ok: true, ...CLEAN, refused: 0, unknown: 0 });
    expect((figures.gapMs as { max: number }).max).toBeLessThanOrEqual(250);
    expect(figures.moves).toBeGreaterThanOrEqual(12);
    expect(figures.effects).toBe(figures.commands);
  }, 300_000);
});

describe('a hub that others run, drilled by `fairlead drill`', () => {
  it('is rolled while nobody notices, and loses nothing to a SIGKILL', async () => {
    const cluster = await Cluster.start(0);
    const add = () => cluster.addReplica({ FAIRLEAD_DRAIN_LINGER_S: '2' });
    const balancer = await Balancer.start();
    try {
      const live = new Set<HubProcess>();
      let isOver = false;
      const serve = (hub: HubProcess): void => {
        live.add(hub);
        balancer.add(hub.url);
        // As a Deployment has it: whoever ends is replaced.
        void hub.ended().then(async () => {
          live.delete(hub);
          balancer.remove(hub.url);
          // A machine that has too much to do may not start one in time: the roll then says that nothing took its place.
          if (!isOver) await add().then(serve, () => undefined);
        });
      };
      serve(await add());
      serve(await add());
      const env = { FAIRLEAD_URL: balancer.url, FAIRLEAD_TOKEN: cluster.administratorToken };
      const load = ['--brokers', '3', '--rate', '12', '--settle', '8'];

      const rolled = await printedBy([FAIRLEAD, 'drill', 'roll', ...load], env);
      const [judged, short] = [
        await printedBy([FAIRLEAD, 'rollout', 'report', '--since', '1h', '--expect', '2'], env),
        await printedBy(
          [FAIRLEAD, 'rollout', 'report', '--since', '1h', '--expect', '3', '--wait', '1'],
          env,
        ),
      ];
      const [victim] = live;
      const act = `kill -9 ${victim?.pid ?? ''}`;
      const killed = await printedBy([FAIRLEAD, 'drill', 'kill', '--act', act, ...load], env);
      const failed = await printedBy([FAIRLEAD, 'drill', 'listen', '--act', 'false', ...load], env);
      isOver = true;

      expect(rolled).toMatchObject({ code: 0, ok: true, ...CLEAN, refused: 0, unknown: 0 });
      expect(rolled.rollouts).toMatchObject([{ report: { clean: true } }, { report: { clean: true } }]);
      expect(rolled.effects).toBe(rolled.commands);
      expect(judged).toMatchObject({ code: 0, count: 2, expected: 2, clean: true, unjudged: 0 });
      expect(short).toMatchObject({ code: 1, count: 2, expected: 3, clean: false });
      expect(killed).toMatchObject({ code: 0, ok: true, ...CLEAN, rollouts: [] });
      expect(failed).toMatchObject({ code: 1, ok: false, ...CLEAN });
    } finally {
      await balancer.stop();
      await cluster.stop();
    }
  }, 300_000);
});
