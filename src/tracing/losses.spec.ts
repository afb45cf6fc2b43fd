import { describe, expect, it } from '@jest/globals';
import { Losses } from './losses.js';

describe('lost spans and records', () => {
  it('are counted, and told once a minute with all that were lost since', () => {
    const told: { lost: number; reason: string }[] = [];
    let now = 0;
    const losses = new Losses(
      (each) => told.push(each),
      () => now,
    );

    losses.add(3, 'ECONNREFUSED');
    losses.add(4, 'ECONNREFUSED');
    now = 60_000;
    losses.add(1, '503');

    expect(losses.count).toBe(8);
    expect(told).toEqual([
      { lost: 3, reason: 'ECONNREFUSED' },
      { lost: 5, reason: '503' },
    ]);
  });
});
