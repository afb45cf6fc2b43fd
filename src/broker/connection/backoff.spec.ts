import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fullJitterMs, heartbeatDelayMs, slowJitterMs } from './backoff.js';

const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const span = fc.integer({ min: 1, max: 3_600_000 });

describe('the wait before an attempt', () => {
  it('lies between nothing and the cap, whatever the attempt', () => {
    fc.assert(
      fc.property(fc.nat(), span, span, fraction, (attempt, baseMs, capMs, at) => {
        const waitMs = fullJitterMs(attempt, baseMs, capMs, () => at);

        expect(waitMs).toBeGreaterThanOrEqual(0);
        expect(waitMs).toBeLessThanOrEqual(capMs);
        expect(waitMs).toBeLessThanOrEqual(baseMs * 2 ** attempt);
      }),
    );
  });

  it('uses the whole of its span, so that a fleet does not come back at once', () => {
    const at = (fractionOfSpan: number) => fullJitterMs(3, 1_000, 60_000, () => fractionOfSpan);

    expect([at(0), at(0.5), at(0.999)]).toEqual([0, 4_000, 7_992]);
  });

  it('doubles its span with each attempt until the cap', () => {
    const spans = [0, 1, 2, 5, 6, 7, 1_000].map((attempt) => fullJitterMs(attempt, 1_000, 60_000, () => 0.5));

    expect(spans).toEqual([500, 1_000, 2_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('is between once and twice the span where nothing will mend itself soon', () => {
    fc.assert(
      fc.property(span, fraction, (spanMs, at) => {
        const waitMs = slowJitterMs(spanMs, () => at);

        expect(waitMs).toBeGreaterThanOrEqual(spanMs);
        expect(waitMs).toBeLessThanOrEqual(2 * spanMs);
      }),
    );
  });
});

describe('the next heartbeat', () => {
  it('is never late, and early by half an interval or 30 s at most', () => {
    fc.assert(
      fc.property(span, fraction, (intervalMs, at) => {
        const delayMs = heartbeatDelayMs(intervalMs, () => at);

        expect(delayMs).toBeLessThanOrEqual(intervalMs);
        expect(delayMs).toBeGreaterThanOrEqual(intervalMs - Math.min(intervalMs / 2, 30_000));
      }),
    );
  });
});
