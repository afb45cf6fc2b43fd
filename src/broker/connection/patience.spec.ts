import { describe, expect, it } from '@jest/globals';
import type { Refusal } from '../hub-call.js';
import { Patience } from './patience.js';

const TIMES = { baseMs: 1_000, capMs: 60_000, goodLinkMs: 30_000 };

const patience = () => new Patience(TIMES, () => 0.5);
const afterFailures = (count: number): Patience => {
  const subject = patience();
  for (let failure = 0; failure < count; failure += 1) subject.failed();
  return subject;
};
const refusalWith = (retryAfterMs: number | null): Refusal => ({
  status: 503,
  code: 'draining',
  detail: '',
  retryAfterMs,
  hubTime: null,
});

describe('Patience', () => {
  it('waits longer with every failure, until the cap', () => {
    const waits = [1, 2, 3, 20].map((failures) => afterFailures(failures).waitMs('again', 1, null));

    expect(waits).toEqual([500, 1_000, 2_000, 30_000]);
  });

  it('waits longer only once every address of a round was tried', () => {
    const waits = [1, 2, 3, 4].map((failures) => afterFailures(failures).waitMs('again', 3, null));

    expect(waits).toEqual([500, 500, 500, 1_000]);
  });

  it('takes what the hub said as a floor, and keeps its jitter', () => {
    expect(afterFailures(1).waitMs('again', 1, refusalWith(7_000))).toBe(7_500);
    expect(afterFailures(1).waitMs('slowly', 1, refusalWith(7_000))).toBe(97_000);
  });

  it('begins anew after a good link', () => {
    const subject = afterFailures(10);

    subject.linkEnded(30_000);

    expect(subject.waitMs('again', 1, null)).toBe(500);
  });

  it('slows down for a link that flaps', () => {
    const subject = patience();

    for (let link = 0; link < 4; link += 1) subject.linkEnded(29_999);

    expect(subject.waitMs('again', 1, null)).toBe(4_000);
  });

  it('renews a credential once at once, and then slowly', () => {
    const subject = patience();

    const waits = [1, 2, 3].map(() => subject.waitMs('renew', 1, null));

    expect(waits).toEqual([500, 45_000, 45_000]);
  });

  it('renews at once again after a good link', () => {
    const subject = patience();
    subject.waitMs('renew', 1, null);

    subject.linkEnded(30_000);

    expect(subject.waitMs('renew', 1, null)).toBe(500);
  });
});
