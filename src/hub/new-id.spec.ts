import { describe, expect, it } from '@jest/globals';
import { validate, version } from 'uuid';
import { newId } from './new-id.js';

describe('a new id', () => {
  it('is a uuid of version 7, greater than every one before, past the randomness drawn at once', () => {
    const ids = Array.from({ length: 2_000 }, newId);

    expect(ids.every((id) => validate(id) && version(id) === 7)).toBe(true);
    expect(ids.slice().sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('has the time in its first 48 bits', () => {
    const before = Date.now();

    const ms = Number.parseInt(newId().replaceAll('-', '').slice(0, 12), 16);

    expect(ms).toBeGreaterThanOrEqual(before);
    expect(ms).toBeLessThanOrEqual(Date.now());
  });
});
