import { describe, expect, it } from '@jest/globals';
import {
  FAULT_KINDS,
  LANES,
  lineOf,
  NUMBERS_FROM,
  scheduleOf,
  holding,
  sparing,
  type Fault,
  type FaultKind,
} from '../../scripts/soak/schedule.js';

const MINUTE = 60_000;
/** As they have always been. */
const FIRST_OF_7 = [
  '0 database_delay at 2016',
  '1 replica_clock at 2240',
  '2 link_cut at 2589',
  '3 link_delay at 4486',
];
/** Of the first lanes none has numbers of its own. */
const fromOf = ({ kind }: Fault) => NUMBERS_FROM[FAULT_KINDS[kind].lane] ?? 0;
const isOfFirst = (fault: Fault) => fromOf(fault) === 0;
const isLong = (kind: FaultKind) => FAULT_KINDS[kind].forMs[0] >= MINUTE / 2;

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

    // Two of those that last a minute would not fit.
    const all = Object.keys(FAULT_KINDS) as FaultKind[];
    expect(all.filter((kind) => !kinds.has(kind) && !isLong(kind))).toEqual([]);
    expect([...kinds].filter(isLong)).toHaveLength(1);
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

      const first = kinds(usual).slice(0, 5);
      expect(first.length).toBeGreaterThan(2);
      expect(kinds(calm).slice(0, first.length)).toEqual(first);
    }
    expect(calm.length).toBeLessThan(3 * usual.length);
  });

  it('has the faults of which something was found under their numbers, whatever later lanes have', () => {
    const told = scheduleOf(7, 2 * MINUTE)
      .filter(isOfFirst)
      .slice(0, 4)
      .map(({ number, kind, atMs }) => `${number} ${kind} at ${atMs}`);

    expect(told).toEqual(FIRST_OF_7);
  });

  it('replaces no replica from a third of the time on where they are spared, and is else the same', () => {
    const faults = scheduleOf(7, 15 * MINUTE);
    const spared = sparing(faults, 15 * MINUTE);

    const replacing = /^replica_(kill|drain|clock)$/;
    const leftOut = faults.filter((fault) => !spared.includes(fault));
    expect(leftOut.length).toBeGreaterThan(5);
    for (const { kind, atMs } of leftOut) {
      expect(kind).toMatch(replacing);
      expect(atMs).toBeGreaterThanOrEqual(5 * MINUTE);
    }
    expect(spared.filter(({ kind, atMs }) => replacing.test(kind) && atMs > 5 * MINUTE)).toEqual([]);
    expect(spared.some(({ kind, atMs }) => kind === 'replica_pause' && atMs > 5 * MINUTE)).toBe(true);
  });

  it('ends no session of the database where one transaction is to be open all the time, and is else the same', () => {
    const faults = scheduleOf(7, 10 * MINUTE);
    const held = holding(faults);

    const leftOut = faults.filter((fault) => !held.includes(fault)).map(({ kind }) => kind);
    expect(new Set(leftOut)).toEqual(new Set(['database_restart', 'database_crash']));
    expect(held.some(({ kind }) => leftOut.includes(kind))).toBe(false);
  });

  it('has the killed brokers under the number by which a search for fewer faults is tried', () => {
    const faults = scheduleOf(1812, MINUTE / 2);

    expect(faults.find(({ number }) => number === 7)).toMatchObject({ kind: 'broker_kill' });
  });

  it('has numbers for later lanes that no other comes to within the longest run', () => {
    const froms = [0, ...Object.values(NUMBERS_FROM)].sort((one, other) => one - other);
    const faults = scheduleOf(3, 24 * 60 * MINUTE);
    for (const [place, from] of froms.slice(0, -1).entries()) {
      const most = Math.max(...faults.filter((fault) => fromOf(fault) === from).map(({ number }) => number));
      expect(most).toBeLessThan(froms[place + 1] ?? 0);
    }
  });

  it('numbers its faults by time, and says all of one in a line', () => {
    const faults = scheduleOf(7, MINUTE);
    const [first] = faults;
    for (const from of [0, ...Object.values(NUMBERS_FROM)]) {
      const own = faults.filter((fault) => fromOf(fault) === from);
      expect(own.map(({ number }) => number)).toEqual(own.map((_fault, place) => from + place));
    }
    expect(lineOf(first!)).toMatch(/^ +0 +\d+\.\d s {2}\w+.*\(pick 0\.\d{3}, (there|back|there\+back)\)$/);
  });
});
