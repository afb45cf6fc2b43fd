import { describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { firstIdAt, idTimeMs } from './id-time.js';

describe('the time of an id', () => {
  const ms = 0x0198_b2c0_1234;

  it('is that at which it was made', () => {
    expect(idTimeMs(uuidv7({ msecs: ms }))).toBe(ms);
  });

  it('has a first id, after all that were made before and before all that were made then', () => {
    expect(firstIdAt(ms)).toBe('0198b2c0-1234-0000-0000-000000000000');
    expect(firstIdAt(ms) < uuidv7({ msecs: ms })).toBe(true);
    expect(firstIdAt(ms) > uuidv7({ msecs: ms - 1 })).toBe(true);
    expect(idTimeMs(firstIdAt(ms))).toBe(ms);
  });

  it.each([
    [0, '00000000-0000-0000-0000-000000000000'],
    [-5, '00000000-0000-0000-0000-000000000000'],
    [1.9, '00000000-0001-0000-0000-000000000000'],
    [2 ** 48 - 1, 'ffffffff-ffff-0000-0000-000000000000'],
    [2 ** 60, 'ffffffff-ffff-0000-0000-000000000000'],
  ])('of %d ms begins with %s', (time, id) => {
    expect(firstIdAt(time)).toBe(id);
  });
});
