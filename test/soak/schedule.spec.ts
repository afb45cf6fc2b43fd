import { describe, expect, it } from '@jest/globals';
import { FAULT_KINDS, LANES, lineOf, scheduleOf, type FaultKind } from '../../scripts/soak/schedule.js';

const MINUTE = 60_000;

describe('the schedule of a soak', () => {
  it('is the same for a seed, and another for another', () => {
    expect(scheduleOf(7, MINUTE)).toEqual(scheduleOf(7, MINUTE));
    expect(scheduleOf(7, MINUTE)).not.toEqual(scheduleOf(8, MINUTE));
  });

  it('strikes with every kind within some minutes, whatever the seed', () => {
    for (let seed = 0; seed < 50; seed += 1) {
      const kinds = new Set(scheduleOf(seed, 4 * MINUTE).map(({ kind }) => kind));

      expect([...kinds].sort()).toEqual(Object.keys(FAULT_KINDS).sort());
    }
  });

  it('has every kind within the two minutes of the seed that is run with every change', () => {
    const kinds = new Set(scheduleOf(7, 2 * MINUTE).map(({ kind }) => kind));

    expect(kinds.size).toBe(Object.keys(FAULT_KINDS).length);
  });

  it('begins no fault of a lane before the one before it is over, and ends before the time does', () => {
    for (let seed = 0; seed < 50; seed += 1) {
      const faults = scheduleOf(seed, 3 * MINUTE);
      for (const lane of LANES) {
        const own = faults.filter(({ kind }) => FAULT_KINDS[kind].lane === lane);
        for (const [place, { atMs }] of own.slice(1).entries()) {
          expect(atMs).toBeGreaterThan((own[place]?.atMs ?? 0) + (own[place]?.forMs ?? 0));
        }
      }
      expect(Math.max(...faults.map(({ atMs, forMs }) => atMs + forMs))).toBeLessThan(3 * MINUTE);
    }
  });

  it('lets faults of different lanes meet', () => {
    const faults = scheduleOf(7, 2 * MINUTE);
    const laneOf = (kind: FaultKind) => FAULT_KINDS[kind].lane;
    const meet = faults.filter((one) =>
      faults.some(
        (other) =>
          laneOf(other.kind) !== laneOf(one.kind) &&
          other.atMs < one.atMs &&
          one.atMs < other.atMs + other.forMs,
      ),
    );

    expect(meet.length).toBeGreaterThan(5);
  });

  it('has a thousand faults within less than an hour', () => {
    expect(scheduleOf(1, 45 * MINUTE).length).toBeGreaterThan(1_000);
  });

  it('has the same faults in each lane further apart where it is to be calm', () => {
    const [usual, calm] = [scheduleOf(7, MINUTE), scheduleOf(7, 5 * MINUTE, 5)];
    for (const lane of LANES) {
      const kinds = (faults: typeof usual) =>
        faults.map(({ kind }) => kind).filter((kind) => FAULT_KINDS[kind].lane === lane);

      expect(kinds(calm).slice(0, 5)).toEqual(kinds(usual).slice(0, 5));
    }
    expect(calm.length).toBeLessThan(3 * usual.length);
  });

  it('numbers its faults by time, and says all of one in a line', () => {
    const faults = scheduleOf(7, MINUTE);
    const [first] = faults;

    expect(faults.map(({ number }) => number)).toEqual(faults.map((_fault, place) => place));
    expect(lineOf(first!)).toMatch(/^ +0 +\d+\.\d s {2}\w+.*\(pick 0\.\d{3}, (there|back|there\+back)\)$/);
  });
});
