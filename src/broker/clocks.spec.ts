import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { deadlineAfter, elapsedMs, isPast } from './clocks.js';

const received = { wallMs: 1_700_000_000_000, monotonicMs: 9_000 };
const later = (wallMs: number, monotonicMs: number) => ({
  wallMs: received.wallMs + wallMs,
  monotonicMs: received.monotonicMs + monotonicMs,
});

describe('a span', () => {
  it('is never negative, and never shorter than either clock saw', () => {
    const shift = fc.integer({ min: -1e9, max: 1e9 });
    fc.assert(
      fc.property(shift, shift, (wallMs, monotonicMs) => {
        const span = elapsedMs(received, later(wallMs, monotonicMs));

        expect(span).toBe(Math.max(0, wallMs, monotonicMs));
      }),
    );
  });
});

describe('a deadline', () => {
  const deadline = deadlineAfter(received, 10_000);

  it('is past once its time is up, not before', () => {
    expect(isPast(deadline, later(9_999, 9_999))).toBe(false);
    expect(isPast(deadline, later(10_000, 10_000))).toBe(true);
  });

  it('is past for a machine that slept, by the clock that went on', () => {
    expect(isPast(deadline, later(3_600_000, 5))).toBe(true);
  });

  it('is past although the wall clock was set back', () => {
    expect(isPast(deadline, later(-3_600_000, 10_000))).toBe(true);
  });

  it('is judged by the wall alone once the process that received it is gone', () => {
    const recovered = { ...deadline, monotonicMs: null };

    expect(isPast(recovered, later(9_999, 1e12))).toBe(false);
    expect(isPast(recovered, later(10_000, 0))).toBe(true);
  });

  it('that has run out already is past at once', () => {
    expect(isPast(deadlineAfter(received, 0), received)).toBe(true);
  });
});
