import { describe, expect, it } from '@jest/globals';
import { waitOf } from './prefer.js';

describe('Prefer: wait', () => {
  it.each([
    [undefined, 0, null],
    ['wait=5', 5, null],
    ['respond-async, wait = 300', 300, null],
    ['wait="7"', 7, null],
    ['return=minimal', 0, null],
    ['wait=300; window=30', 300, 30],
    ['respond-async, Wait=20 ; Window="300"', 20, 300],
    ['return=minimal; window=5, wait=9', 9, null],
    ['wait=301', 300, null],
    ['wait=99999999999999999999; window=301', 300, 300],
  ])('of %p is %i s, with a window of %p s', (prefer, totalS, windowS) => {
    expect(waitOf(prefer)).toEqual({ totalS, windowS });
  });

  it.each(['wait=-1', 'wait=1.5', 'wait=abc', 'wait', 'wait=5; window=0', 'wait=5; window'])(
    'refuses %s',
    (prefer) => {
      expect(() => waitOf(prefer)).toThrow();
    },
  );
});
