import { describe, expect, it } from '@jest/globals';
import { Liveness } from './liveness.js';

function machine() {
  const now = { wall: 1_000_000, monotonic: 500 };
  return {
    clocks: { wallMs: () => now.wall, monotonicMs: () => now.monotonic },
    passes: (ms: number) => {
      now.wall += ms;
      now.monotonic += ms;
    },
    wallJumps: (ms: number) => (now.wall += ms),
    monotonicJumps: (ms: number) => (now.monotonic += ms),
  };
}

describe('Liveness', () => {
  it('is fresh for its window after each word of the hub', () => {
    const { clocks, passes } = machine();
    const liveness = new Liveness(clocks, 45_000);

    passes(45_000);
    expect(liveness.heard()).toBe(true);
    passes(45_000);
    expect(liveness.isFresh()).toBe(true);
    passes(1);
    expect(liveness.isFresh()).toBe(false);
  });

  it('is over on a machine that slept with its monotonic clock standing still', () => {
    const { clocks, wallJumps } = machine();
    const liveness = new Liveness(clocks, 45_000);

    wallJumps(8 * 3_600_000);

    expect(liveness.isFresh()).toBe(false);
  });

  it('is over on a machine that slept and whose wall clock was set back', () => {
    const { clocks, wallJumps, monotonicJumps } = machine();
    const liveness = new Liveness(clocks, 45_000);

    wallJumps(-3_600_000);
    monotonicJumps(45_001);

    expect(liveness.isFresh()).toBe(false);
  });

  it('survives a wall clock that is set back', () => {
    const { clocks, wallJumps } = machine();
    const liveness = new Liveness(clocks, 45_000);

    wallJumps(-3_600_000);

    expect(liveness.heard()).toBe(true);
  });

  it('does not trust a link again whose silence was too long: its bytes are of yesterday', () => {
    const { clocks, wallJumps } = machine();
    const liveness = new Liveness(clocks, 45_000);
    wallJumps(60_000);

    expect(liveness.heard()).toBe(false);
    expect(liveness.heard()).toBe(false);
    expect(liveness.isFresh()).toBe(false);
  });
});
