import { describe, expect, it } from '@jest/globals';
import { failuresOf, soughtOf, type Found } from '../../scripts/soak/failures.js';

const GROWN = { replicaKeptMiBPerMin: 0.25, replicaMemoryMiBPerMin: 1, replicaSocketsPerMin: null };
const MINUTE_MS = 60_000;

const CLEAN: Found = {
  lost: 0,
  duplicated: 0,
  reordered: 0,
  untrue: 0,
  irregular: 0,
  unfounded: 0,
  unserved: 0,
  untold: 0,
  unexplained: 0,
  mixed: { cancelled: { chances: 300, met: 1 }, latest: { chances: 9, met: 0 } },
  accepted: 990,
  givenUp: 0,
  crashes: [],
  failedFaults: [],
  sure: GROWN,
  spares: false,
  never: 0,
  promised: [
    { judged: 1, unjudged: 9 },
    { judged: 0, unjudged: 9 },
  ],
  tried: { link_cut: 9, listen_silent: 4 },
  faultsByKind: { link_cut: 1 },
  forMs: 120_000,
  pinnedMs: 60_000,
  pinnedLongestMs: 9_000,
  holds: false,
  commands: 990,
  due: 1_000,
  faults: 9,
  scheduled: 10,
};

describe('what fails a soak', () => {
  it('is nothing where all is kept, and most of what was due was asked and struck', () => {
    expect(failuresOf(CLEAN)).toEqual([]);
    expect(failuresOf({ ...CLEAN, faults: 0, scheduled: 0 })).toEqual([]);
  });

  it.each<[string, Partial<Found>]>([
    ['lost', { lost: 1 }],
    ['duplicated', { duplicated: 1 }],
    ['reordered', { reordered: 1 }],
    ['untrue', { untrue: 1 }],
    ['irregular', { irregular: 1 }],
    ['unfounded', { unfounded: 1 }],
    ['unserved', { unserved: 1 }],
    ['untold', { untold: 1 }],
    ['unexplained', { unexplained: 1 }],
    ['given_up', { givenUp: 1 }],
    ['crashed', { crashes: ['replica-1 ended by itself'] }],
    ['fault_failed', { failedFaults: ['3 replica_kill: there is nothing to strike'] }],
    ['unnoticed', { never: 1 }],
    ['growing', { sure: { ...GROWN, replicaKeptMiBPerMin: 0.26 } }],
    ['growing', { sure: { ...GROWN, replicaMemoryMiBPerMin: 1.01 } }],
    ['growing', { sure: { ...GROWN, replicaSocketsPerMin: 1.01 } }],
    ['unpinned', { pinnedMs: 59_999 }],
    ['hardly_asked', { commands: 700 }],
    ['hardly_asked', { accepted: 0 }],
    ['hardly_mixed', { mixed: { cancelled: { chances: 100, met: 0 } } }],
    ['hardly_mixed', { mixed: { expiring: { chances: 100, met: 0 } } }],
    ['hardly_mixed', { mixed: { latest: { chances: 10, met: 0 } } }],
    ['hardly_mixed', { mixed: { stopped: { chances: 30, met: 0 } } }],
    ['hardly_struck', { faults: 4 }],
    ['unjudged', { promised: [{ judged: 0, unjudged: 10 }] }],
    ['unjudged', { spares: true, forMs: 30 * MINUTE_MS, pinnedMs: 30 * MINUTE_MS }],
    ['unpinned', { holds: true, pinnedLongestMs: 113_000, pinnedMs: 120_000 }],
  ])('is %s where %j', (failure, change) => {
    expect(failuresOf({ ...CLEAN, ...change })).toEqual([failure]);
  });

  it('is nothing where what was asked for beside it is there', () => {
    const sure = { ...GROWN, replicaSocketsPerMin: 0 };
    const long = { forMs: 30 * MINUTE_MS, pinnedMs: 30 * MINUTE_MS, pinnedLongestMs: 29 * MINUTE_MS };

    expect(failuresOf({ ...CLEAN, ...long, sure, spares: true, holds: true })).toEqual([]);
    expect(failuresOf({ ...CLEAN, spares: true })).toEqual([]);
  });

  it('is never_struck where a kind of fault came five times, and never found anything', () => {
    expect(failuresOf({ ...CLEAN, tried: { broker_disk_full: 5 }, faultsByKind: {} })).toEqual([
      'never_struck',
    ]);
  });
});

describe('what fewer faults must come to', () => {
  it('is what was broken, and not that the machine was slow besides', () => {
    expect(soughtOf(['duplicated', 'crashed', 'given_up', 'hardly_struck'])).toEqual([
      'duplicated',
      'crashed',
    ]);
    expect(soughtOf(['given_up'])).toEqual(['given_up']);
  });
});
