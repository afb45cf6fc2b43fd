import { describe, expect, it } from '@jest/globals';
import { Rounds } from './rounds.js';

/** Longer than any test lasts. */
const LONG_MS = 3_600_000;

/** Rounds that end as they are told, and how long each rest was to be. */
function scene(...outcomes: boolean[]) {
  const rests: number[] = [];
  let looked = 0;
  let tell: (() => void) | undefined;
  const look = () => {
    looked += 1;
    return Promise.resolve(outcomes.shift() ?? true);
  };
  const rounds = new Rounds(look, (failed) => {
    rests.push(failed);
    tell?.();
    return outcomes.length > 0 ? 0 : LONG_MS;
  });
  const rested = (count: number) =>
    new Promise<void>((resolve) => {
      tell = () => rests.length >= count && resolve();
      tell();
    });
  return { rounds, rests, rested, looked: () => looked };
}

describe('the rounds of a broker', () => {
  it('go on by themselves, and rest by how many in a row are to be tried again', async () => {
    const { rounds, rests, rested } = scene(false, false, true, false);
    rounds.start();

    await rested(4);
    await rounds.stop();

    expect(rests).toEqual([1, 2, 0, 1]);
  });

  it('begin at once where they are woken', async () => {
    const { rounds, rested, looked } = scene();
    rounds.start();
    await rested(1);

    rounds.wake();

    await rested(2);
    expect(looked()).toBe(2);
    await rounds.stop();
  });

  it('are followed by another without a rest where they are woken meanwhile', async () => {
    let looked = 0;
    const rounds: Rounds = new Rounds(
      () => {
        looked += 1;
        if (looked === 1) rounds.wake();
        else void rounds.stop();
        return Promise.resolve(true);
      },
      () => LONG_MS,
    );
    rounds.start();

    while (looked < 2) await new Promise((resolve) => setImmediate(resolve));
    await rounds.stop();

    expect(looked).toBe(2);
  });

  it('end within a rest, are safe to end again, and where they never began', async () => {
    const { rounds, rested, looked } = scene();
    await scene().rounds.stop();
    rounds.start();
    await rested(1);

    await rounds.stop();
    await rounds.stop();

    expect(looked()).toBe(1);
  });

  it('have ended only once the last one is over, which is told that it is to end', async () => {
    let isOver = false;
    let begun: (() => void) | undefined;
    const hasBegun = new Promise<void>((resolve) => (begun = resolve));
    const rounds = new Rounds(
      async (signal) => {
        begun?.();
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        await new Promise((resolve) => setImmediate(resolve));
        isOver = true;
        return true;
      },
      () => LONG_MS,
    );
    rounds.start();
    await hasBegun;

    await rounds.stop();

    expect(isOver).toBe(true);
  });
});
