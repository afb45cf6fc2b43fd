import { describe, expect, it } from '@jest/globals';
import { waitOf } from './prefer.js';

describe('Prefer: wait', () => {
  it.each([
    [undefined, 0],
    ['wait=5', 5],
    ['respond-async, wait = 300', 300],
    ['wait="7"', 7],
    ['return=minimal', 0],
  ])('of %p is %i s', (prefer, seconds) => {
    expect(waitOf(prefer)).toBe(seconds);
  });

  it.each(['wait=301', 'wait=-1', 'wait=1.5', 'wait=abc'])('refuses %s', (prefer) => {
    expect(() => waitOf(prefer)).toThrow();
  });
});
