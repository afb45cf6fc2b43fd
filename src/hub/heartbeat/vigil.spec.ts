import { describe, expect, it } from '@jest/globals';
import { Vigil } from './vigil.js';

describe('a vigil', () => {
  it('is as old as its first look, while it goes on', () => {
    const vigil = new Vigil(100);

    expect([1_000, 1_060, 1_159].map((now) => vigil.look(now))).toEqual([0, 60, 159]);
  });

  it('begins anew after a gap', () => {
    const vigil = new Vigil(100);
    vigil.look(1_000);

    expect([1_100, 1_150].map((now) => vigil.look(now))).toEqual([0, 50]);
  });
});
