import { describe, expect, it } from '@jest/globals';
import { interleaved, median, percentile, ratios, spread } from './statistics.mjs';

describe('the median', () => {
  it('is the middle figure, in whatever order they came', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([10, 9, 100])).toBe(10);
  });

  it('of an even number is the mean of the two in the middle', () => {
    expect(median([4, 1, 3, 100])).toBe(3.5);
  });

  it('of nothing is refused', () => {
    expect(() => median([])).toThrow(RangeError);
  });

  it('leaves the figures as they were', () => {
    const figures = [3, 1, 2];

    median(figures);

    expect(figures).toEqual([3, 1, 2]);
  });
});

describe('a percentile', () => {
  const hundred = Array.from({ length: 100 }, (_unused, index) => 100 - index);

  it('is a figure that was measured, by nearest rank', () => {
    expect(percentile(hundred, 0.5)).toBe(50);
    expect(percentile(hundred, 0.99)).toBe(99);
    expect(percentile(hundred, 0.991)).toBe(100);
  });

  it('at the ends is the smallest and the largest', () => {
    expect(percentile(hundred, 0)).toBe(1);
    expect(percentile(hundred, 1)).toBe(100);
  });

  it('of one figure is that figure', () => {
    expect(percentile([7], 0.99)).toBe(7);
  });
});

describe('the order of turns', () => {
  it('gives every side one turn a round', () => {
    for (const round of interleaved(['a', 'b', 'c'], 4)) expect([...round].sort()).toEqual(['a', 'b', 'c']);
  });

  it('turns round with every round', () => {
    expect(interleaved(['a', 'b'], 3)).toEqual([
      ['a', 'b'],
      ['b', 'a'],
      ['a', 'b'],
    ]);
  });
});

describe('a ratio', () => {
  it('is taken within each round, and its median over the rounds', () => {
    // The medians of the figures alone, 300 and 100, would say 3.
    expect(ratios([100, 300, 400], [10, 100, 200])).toEqual({ median: 3, low: 2, high: 10 });
    expect(ratios([100, 300, 500], [100, 60, 100])).toEqual({ median: 5, low: 1, high: 5 });
  });

  it('is refused where a round has only one figure', () => {
    expect(() => ratios([1, 2], [1])).toThrow(RangeError);
  });

  it('is told with its spread', () => {
    expect(spread([2, 9, 4])).toEqual({ median: 4, low: 2, high: 9 });
  });
});
