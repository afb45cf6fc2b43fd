import { describe, expect, it } from '@jest/globals';
import { eventually } from '../../../test/support/eventually.js';
import { Loop } from './loop.js';

const HOUR_MS = 3_600_000;

const loopOf = (turn: () => Promise<void>, faults: unknown[] = [], everyMs = HOUR_MS) =>
  new Loop({ name: 'test', everyMs, turn, onFault: (error) => faults.push(error) });

describe('a background loop', () => {
  it('takes a turn at once, and another at each wake', async () => {
    let turns = 0;
    const loop = loopOf(() => Promise.resolve(void (turns += 1)));
    loop.start();
    await eventually(() => turns === 1);

    loop.wake();

    await eventually(() => turns === 2);
    await loop.stop();
  });

  it('takes one more turn for a wake that comes during a turn', async () => {
    let turns = 0;
    const loop = loopOf(() => {
      turns += 1;
      if (turns === 1) loop.wake();
      return Promise.resolve();
    });
    loop.start();

    await eventually(() => turns === 2);
    await loop.stop();
  });

  it('goes on after a fault, and reports it until a turn succeeds', async () => {
    let turns = 0;
    const faults: unknown[] = [];
    const loop = loopOf(
      () => {
        turns += 1;
        return turns === 1 ? Promise.reject(new Error('no')) : Promise.resolve();
      },
      faults,
      1,
    );
    loop.start();

    await eventually(() => turns >= 2);

    expect(faults).toHaveLength(1);
    expect(loop.report()).toMatchObject({ faults: 0, running: true });
    await loop.stop();
  });

  it('stops only when its turn has ended, as often as it is asked to', async () => {
    let finish: () => void = () => undefined;
    let isOver = false;
    const loop = loopOf(async () => {
      await new Promise<void>((resolve) => (finish = resolve));
      isOver = true;
    });
    loop.start();
    const stopping = Promise.all([loop.stop(), loop.stop()]);
    finish();
    await stopping;

    expect(isOver).toBe(true);
    expect(loop.report().running).toBe(false);
  });

  it('stops without having been started, and does not start after that', async () => {
    let turns = 0;
    const loop = loopOf(() => Promise.resolve(void (turns += 1)));

    await loop.stop();
    loop.start();

    expect(turns).toBe(0);
  });
});
